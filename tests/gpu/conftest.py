"""Tests of this folder need CUDA; `VIDEO_VECTORS_GPU=required` makes a missing device an error."""

from __future__ import annotations

import os

import pytest

VARIABLE = "VIDEO_VECTORS_GPU"


@pytest.fixture(scope="session", autouse=True)
def cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        assert os.environ.get(VARIABLE) != "required", "torch finds no CUDA device"
        pytest.skip("torch finds no CUDA device")
