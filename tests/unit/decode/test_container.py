"""A file that goes round in circles comes to an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pipeline.decode.container import StallDetector, packets
from pipeline.errors import VideoError


class Clock:
    """Seconds that pass only when a test adds them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_reading_that_makes_no_progress_is_given_up() -> None:
    clock = Clock()
    stall = StallDetector(60, clock)
    for step in range(1000):  # either of both is enough
        clock.seconds += 50
        stall.note(0, byte=step, time=None)
        clock.seconds += 50
        stall.note(1, byte=None, time=step)
    for step in range(1000):
        clock.seconds += 0.05
        stall.note(0, byte=step, time=None)
    clock.seconds += 61
    with pytest.raises(
        VideoError, match=r"no progress for longer than decode\.timeout_seconds = 60"
    ):
        stall.note(0, byte=500, time=None)


class _Packet:
    size, stream_index, pos, dts = 100, 0, 4711, 25


class _Circle:
    """A container that gives the same packet again and again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def demux(self, _: Sequence[object]) -> Iterator[_Packet]:
        while True:
            self._clock.seconds += 1
            yield _Packet()


def test_packets_that_come_again_and_again_end() -> None:
    clock = Clock()
    circle: Any = _Circle(clock)
    with pytest.raises(VideoError, match="no progress"):
        list(packets(circle, [], StallDetector(60, clock)))
    assert clock.seconds < 70
