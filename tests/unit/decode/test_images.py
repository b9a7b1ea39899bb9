"""Picture files are read as a viewer shows them, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.decode.images import read_picture
from pipeline.errors import VideoError
from tests.support.pictures import draw

RGB = draw(5, 64, 48)
GREY = RGB[..., 1]
MAKERS = {
    "grey16.png": lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
    "grey16.tif": lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
    "grey16.pgm": lambda: Image.fromarray(GREY.astype(np.int32) * 257),
    "float.tif": lambda: Image.fromarray(GREY.astype(np.float32) / 255),
}


@pytest.mark.parametrize("name", MAKERS)
def test_deep_grey_pictures_are_scaled_to_8_bits(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    MAKERS[name]().save(path)
    read = np.asarray(read_picture(path))
    assert np.array_equal(read, np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_transparent_picture_stands_on_white(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "cut_out.png"
    opacity = np.repeat(np.uint8([0, 51, 255]), 16)[:, None].repeat(64, axis=1)
    picture = Image.new("RGB", (64, 48))
    picture.putalpha(Image.fromarray(opacity))
    picture.convert(mode).save(path)
    read = np.asarray(read_picture(path)).astype(int)
    assert np.abs(read - (255 - opacity[..., None].astype(int))).max() <= 1


def test_a_palette_with_a_transparent_colour_stands_on_white(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB).convert("P")
    picture.save(tmp_path / "palette.gif", transparency=picture.getpixel((0, 0)))
    read = read_picture(tmp_path / "palette.gif")
    assert read.getpixel((0, 0)) == (255, 255, 255)
    assert (np.asarray(read) != 255).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "phone.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(RGB, [0, 0, 2, 2, 1, 1, 3, 3][orientation - 1])
    if orientation in (2, 4, 5, 7):
        stored = stored[:, ::-1] if orientation < 5 else stored[::-1]
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert np.array_equal(np.asarray(read_picture(path)), RGB)


def test_a_line_is_no_picture(tmp_path: Path) -> None:
    """Scaled up to what CLIP takes it would be gigabytes."""
    Image.new("L", (20_000, 1)).save(tmp_path / "line.png")
    with pytest.raises(VideoError, match="20000 x 1: too thin for a picture"):
        read_picture(tmp_path / "line.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["png", "jpg", "webp", "gif", "avif"]),
    at=st.floats(0, 1),
    garbage=st.binary(min_size=1, max_size=40),
    end=st.floats(0.05, 2),
)
def test_a_damaged_picture_is_refused_or_read(
    suffix: str, at: float, garbage: bytes, end: float, tmp_path: Path
) -> None:
    path = tmp_path / f"whole.{suffix}"
    if not path.exists():
        Image.fromarray(RGB).save(path)
    content = bytearray(path.read_bytes())
    start = int(at * len(content))
    content[start : start + len(garbage)] = garbage
    damaged = tmp_path / f"damaged.{suffix}"
    damaged.write_bytes(content[: int(end * len(content))])
    try:
        picture = read_picture(damaged)
    except VideoError:
        return
    assert picture.mode == "RGB"
