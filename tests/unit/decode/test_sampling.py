"""Which frames stand for a video, and in which order a decoder comes by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode.sampling import (
    Seek,
    frame_indices,
    nearest_places,
    plan_seeks,
    spaced_moments,
)

TOTALS = st.integers(1, 10**6)
COUNTS = st.integers(1, 1000)
TIMESTAMPS = st.integers(-(2**40), 2**40)
KEYFRAMES = st.lists(TIMESTAMPS, min_size=1, max_size=30, unique=True).map(sorted)


@given(TOTALS, COUNTS)
def test_indices_are_linspace_cut_to_whole_numbers(total: int, n: int) -> None:
    assert frame_indices(total, n) == np.linspace(0, total - 1, n).astype(int).tolist()


@given(TOTALS, st.integers(2, 1000))
def test_the_first_and_the_last_frame_are_among_them(total: int, n: int) -> None:
    indices = frame_indices(total, n)
    assert (indices[0], indices[-1]) == (0, total - 1)


@given(TOTALS, COUNTS)
def test_indices_are_spread_evenly(total: int, n: int) -> None:
    steps = np.diff(frame_indices(total, n))
    assert np.ptp(steps) <= 1 if len(steps) else True
    if total >= n:
        assert (steps > 0).all()


def test_one_frame_is_the_first_and_a_short_video_repeats_its_frames() -> None:
    assert frame_indices(100, 1) == [0]
    assert frame_indices(1, 3) == [0, 0, 0]
    assert frame_indices(2, 5) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("total", "n"), [(0, 5), (-1, 5), (5, 0)])
def test_there_is_nothing_to_choose_from_nothing(total: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} of {total}"):
        frame_indices(total, n)


@given(st.floats(60, 1e6), st.floats(0.01, 1e9))
def test_moments_are_spread_over_the_whole_video(seconds: float, every: float) -> None:
    moments = spaced_moments(seconds, every, 120)
    step = max(every, seconds / 120)
    assert moments[0] == 0
    assert 1 <= len(moments) <= 120
    np.testing.assert_allclose(np.diff(moments), step, rtol=1e-6)
    assert moments[-1] < seconds <= moments[-1] + step * (1 + 1e-9)


@given(st.lists(TIMESTAMPS, max_size=30), KEYFRAMES)
def test_seeks_come_by_every_target_once_and_never_go_back(
    targets: list[int], keyframes: list[int]
) -> None:
    seeks = plan_seeks(targets, keyframes)
    assert [target for seek in seeks for target in seek.targets] == sorted(set(targets))
    starts = [seek.keyframe for seek in seeks]
    assert starts == sorted(set(starts))


@given(st.lists(TIMESTAMPS, max_size=30), KEYFRAMES)
def test_a_target_is_decoded_from_the_last_keyframe_before_it(
    targets: list[int], keyframes: list[int]
) -> None:
    for seek in plan_seeks(targets, keyframes):
        for target in seek.targets:
            earlier = [keyframe for keyframe in keyframes if keyframe <= target]
            assert seek.keyframe == max(earlier, default=keyframes[0])


@given(st.lists(TIMESTAMPS, max_size=30), KEYFRAMES)
def test_the_nearest_is_never_farther_than_another_nor_later_than_one_as_near(
    moments: list[int], places: list[int]
) -> None:
    for moment, place in zip(moments, nearest_places(moments, places), strict=True):
        assert place == min(places, key=lambda other: (abs(other - moment), other))


def test_the_picture_in_the_documentation() -> None:
    assert frame_indices(14, 3) == [0, 6, 13]
    seeks = plan_seeks([0, 6, 13], [0, 4, 8, 12])
    assert seeks == [Seek(0, (0,)), Seek(4, (6,)), Seek(12, (13,))]
