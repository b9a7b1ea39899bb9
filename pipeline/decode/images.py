"""From a decoded picture to what a person would see: upright, with square pixels; and a thumbnail.

PIL does the resampling, as in CLIP's own preprocessing.
"""

from __future__ import annotations

from fractions import Fraction

from PIL import Image

from store.pictures import small_jpeg

THUMBNAIL_PIXELS = 256  # of the longer side: about 6 KB
THUMBNAIL_QUALITY = 75


def as_seen(image: Image.Image, rotation: int, pixel_aspect: Fraction) -> Image.Image:
    """Turn a picture upright and make its pixels square.

    Args:
        image: in RGB, as stored.
        rotation: degrees counter-clockwise that bring it upright, as PyAV tells them.
        pixel_aspect: width of a pixel divided by its height.
    """
    if pixel_aspect != 1:
        image = image.resize(display_size(*image.size, pixel_aspect), Image.Resampling.BICUBIC)
    quarter_turns = round(rotation / 90) % 4
    if quarter_turns:
        turn = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        image = image.transpose(turn[quarter_turns - 1])
    return image


def display_size(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Width and height in square pixels; the height stays."""
    return max(round(width * pixel_aspect), 1), height


def thumbnail(image: Image.Image) -> bytes:
    """A small JPEG of the whole picture."""
    return small_jpeg(image, THUMBNAIL_PIXELS, THUMBNAIL_QUALITY)
