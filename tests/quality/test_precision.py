"""Vectors in bfloat16 are those of float32, as near as a search or a classifier can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.demo.weights import TINY_CLIP
from pipeline.models.clip import ClipEncoder
from store.arrays import unit_length
from tests.support.models import clip_folder
from tests.support.pictures import draw

# What all vectors have in common says nothing of a video, so that it is taken away first. Eight
# bits of a number round by 1/256, and the sums of a matrix product even that out.
NEAR = 1e-3


def visual_halves(folder: Path, precision: str) -> np.ndarray:
    """The visual halves of three drawn videos: float32 `[3, d]`."""
    clip = ClipEncoder(f"local-dir:{folder}", "", device="cpu", precision=precision)
    videos = []
    for seed in range(3):
        pictures = [Image.fromarray(draw(20 * i, 320, 240, seed=seed)) for i in range(3)]
        pixels = np.stack([clip.preprocess(picture) for picture in pictures])
        videos.append(unit_length(clip.encode_frames(pixels).mean(axis=0)))
    return np.stack(videos)


@pytest.mark.parametrize("model", ["random", "trained"])
def test_bfloat16_changes_no_vector_by_what_counts(model: str) -> None:
    folder = TINY_CLIP if model == "trained" else clip_folder("small")
    exact, rounded = (visual_halves(folder, kind) for kind in ("float32", "bfloat16"))
    exact, rounded = exact - exact.mean(axis=0), rounded - exact.mean(axis=0)
    cosines = (unit_length(exact) * unit_length(rounded)).sum(axis=1)
    assert (1 - cosines).max() < NEAR
