"""Pictures as a person sees them: upright, with square pixels, in 8-bit RGB; and thumbnails.

PIL does the resampling, as in CLIP's own preprocessing.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from pipeline.decode.container import check_size
from store.pictures import small_jpeg

THUMBNAIL_PIXELS = 256  # of the longer side: about 6 KB
THUMBNAIL_QUALITY = 75

_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


def to_image(frame: VideoFrame, stream: VideoStream, max_megapixels: float) -> Image.Image:
    """Convert a frame to the picture that a person sees.

    High dynamic range (PQ, HLG) is not tone-mapped: OpenCV does not either, and the seed's vectors
    come from OpenCV.

    Args:
        frame: as decoded.
        stream: the frame's stream, which has the shape of its pixels.
        max_megapixels: larger pictures are refused.

    Raises:
        VideoError: the picture is too large with square pixels.
    """
    shown = display_size(frame, stream)
    check_size(*shown, max_megapixels)
    # PyAV's own default is a thread for each core.
    (rgb,) = frame.reformat(format="rgb24", threads=1).planes
    size = (frame.width, frame.height)
    pixels = np.frombuffer(memoryview(rgb), np.uint8)
    image = Image.frombuffer("RGB", size, pixels, "raw", "RGB", rgb.line_size, 1)
    turns = _quarter_turns(frame)
    square = shown[::-1] if turns % 2 else shown
    if square != size:
        image = image.resize(square, Image.Resampling.BICUBIC)
    return image.transpose(_TURNS[turns - 1]) if turns else image


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height of the frame as a person sees it; square pixels keep the stored height."""
    width = max(round(frame.width * (stream.sample_aspect_ratio or Fraction(1))), 1)
    return (frame.height, width) if _quarter_turns(frame) % 2 else (width, frame.height)


def thumbnail(image: Image.Image) -> bytes:
    """Encode a small JPEG of the whole picture."""
    return small_jpeg(image, THUMBNAIL_PIXELS, THUMBNAIL_QUALITY)


def _quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise turns of 90 degrees that bring the frame upright, 0 to 3."""
    return round(frame.rotation / 90) % 4
