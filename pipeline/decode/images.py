"""Pictures as a person sees them: upright, with square pixels, in 8-bit RGB; and thumbnails.

PIL does the resampling, as in CLIP's own preprocessing.
"""

from __future__ import annotations

import struct
import warnings
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from pipeline.decode.container import check_size
from pipeline.errors import Stage, VideoError
from store.pictures import small_jpeg

THUMBNAIL_PIXELS = 256  # of the longer side: about 6 KB
THUMBNAIL_QUALITY = 75

_TRANSPOSES = {
    (False, True, False): Image.Transpose.FLIP_LEFT_RIGHT,
    (False, False, True): Image.Transpose.FLIP_TOP_BOTTOM,
    (False, True, True): Image.Transpose.ROTATE_180,
    (True, False, False): Image.Transpose.TRANSPOSE,
    (True, True, False): Image.Transpose.ROTATE_270,
    (True, False, True): Image.Transpose.ROTATE_90,
    (True, True, True): Image.Transpose.TRANSVERSE,
}
"""By what `orientation` returns; a picture that is stored upright has none."""

_FULL_SCALE = {"I;16": 65535, "I;16B": 65535, "I;16L": 65535, "I;16N": 65535, "I": 65535, "F": 1}
"""White in Pillow's modes of more than 8 bits; it would clip them at 255."""

_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    TypeError,
    LookupError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise for damaged files."""


def read_picture(location: Path) -> Image.Image:
    """Read a picture file as a viewer shows it: upright, on white, in 8-bit RGB.

    Raises:
        VideoError: the file cannot be read, is no picture, is damaged, or is too thin for a
            line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, or a size that is still accepted
            with Image.open(location) as opened:
                check_size(*opened.size, inf)
                return _on_white(_eight_bits(ImageOps.exif_transpose(opened)))
    except _PILLOW_ERRORS as error:
        raise VideoError(Stage.READ, f"cannot be read as a picture: {error}") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    if (white := _FULL_SCALE.get(image.mode)) is None:
        return image
    scaled = np.asarray(image) * (255 / white)
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


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
    check_size(*display_size(frame, stream), max_megapixels)
    # PyAV's own default is a thread for each core.
    (rgb,) = frame.reformat(format="rgb24", threads=1).planes
    size = (frame.width, frame.height)
    pixels = np.frombuffer(memoryview(rgb), np.uint8)
    image = Image.frombuffer("RGB", size, pixels, "raw", "RGB", rgb.line_size, 1)
    if (square := square_size(frame, stream)) != size:
        image = image.resize(square, Image.Resampling.BICUBIC)
    transpose = _TRANSPOSES.get(orientation(frame))
    return image if transpose is None else image.transpose(transpose)


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height of the frame as a person sees it."""
    width, height = square_size(frame, stream)
    swaps_axes, _, _ = orientation(frame)
    return (height, width) if swaps_axes else (width, height)


def thumbnail(image: Image.Image) -> bytes:
    """Encode a small JPEG of the whole picture."""
    return small_jpeg(image, THUMBNAIL_PIXELS, THUMBNAIL_QUALITY)


def square_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as stored, in square pixels; the height stays."""
    pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
    return max(round(frame.width * pixel_aspect), 1), frame.height


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """Whether to swap the axes, then mirror left to right, then top to bottom.

    The display matrix shows a stored point (x, y) at (ax + cy, bx + dy), y pointing down (FFmpeg's
    libavutil/display.h). An angle between the axes counts as the nearest quarter turn.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
