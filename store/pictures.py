"""Small JPEGs: made from pictures, and read back."""

from __future__ import annotations

import io

from PIL import Image


def small_jpeg(picture: Image.Image, longest: int, quality: int) -> bytes:
    """Encode a picture as a JPEG, shrunk where it is larger than asked for.

    Args:
        picture: in RGB; stays as it is.
        longest: pixels of the longer side, at most.
        quality: JPEG quality, 1 to 95.
    """
    small = picture.copy()
    small.thumbnail((longest, longest), Image.Resampling.BILINEAR, reducing_gap=2)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def read_jpeg(jpeg: bytes) -> Image.Image | None:
    """Decode a picture to RGB; None where the bytes hold none."""
    try:
        with Image.open(io.BytesIO(jpeg)) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # as Pillow reports damage
        return None
