"""Pictures become small JPEGs and come back, or are known to be none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from store.pictures import read_jpeg, small_jpeg


@pytest.mark.parametrize(
    ("size", "small"), [((400, 100), (80, 20)), ((100, 400), (20, 80)), ((30, 40), (30, 40))]
)
def test_the_longer_side_fits_and_the_picture_stays(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size, (200, 30, 90))
    back = read_jpeg(small_jpeg(picture, longest=80, quality=90))
    assert back is not None
    assert (back.size, picture.size, back.mode) == (small, size, "RGB")
    # JPEG is lossy; an even colour comes back within a few of 255 steps.
    assert abs(np.asarray(back, int) - (200, 30, 90)).max() <= 5


@pytest.mark.parametrize("damage", [b"", b"no picture", b"\xff\xd8" + bytes(20)])
def test_bytes_without_a_picture(damage: bytes) -> None:
    assert read_jpeg(damage) is None


def test_a_picture_that_was_cut_short() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    whole = small_jpeg(Image.fromarray(noise), longest=64, quality=90)
    assert read_jpeg(whole[: len(whole) // 2]) is None
