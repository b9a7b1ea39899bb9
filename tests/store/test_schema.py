"""Records that cannot be kept are refused when they are made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from store.errors import StoreError
from tests.support.rows import D, failed, make_row


def test_a_name_that_is_not_text_is_named() -> None:
    with pytest.raises(StoreError, match=r"bad\\udcff\.mp4.*rename"):
        make_row("bad\udcff.mp4")
    with pytest.raises(StoreError, match="empty path"):
        make_row("")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
@pytest.mark.parametrize("name", ["mtime_ns", "size"])
def test_a_number_that_does_not_fit_is_refused_with_its_record(name: str, number: int) -> None:
    for record in (make_row("x/1"), failed("x/1")):
        with pytest.raises(StoreError, match=f"x/1: {name} {number} does not fit"):
            replace(record, **{name: number})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visual", np.ones(D)),
        ("speech", np.zeros(D - 1, np.float32)),
        ("visual", np.full(D, np.nan, np.float32)),
        ("frame_vectors", np.full((3, D), 70_000, np.float32)),
        ("frame_times", np.zeros(2)),
        ("speech_windows", ()),
        ("embedded_at", datetime(2024, 1, 1)),
    ],
)
def test_a_wrong_row_cannot_be_made(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"soccer/1\.mp4"):
        replace(make_row("soccer/1.mp4"), **{name: value})
