"""Signs of life of the files that are being read.

No thread can be interrupted in a call that never comes back, from a dead drive or from a decoder
that goes round in circles; it can only be noticed from outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.errors import PipelineError
from pipeline.flow.workers import StageGroup
from pipeline.records import VideoFile
from pipeline.terminal import printable

LOOK_SECONDS = 1.0  # between two looks

Beat = Callable[[], None]
"""Says that reading goes on."""


class Heartbeat:
    """Time passes here only as it is told to: a process that was stopped for an hour, as by Ctrl-Z,
    has not been silent for an hour."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last: dict[int, tuple[VideoFile, float]] = {}

    @contextmanager
    def reading(self, file: VideoFile) -> Iterator[Beat]:
        """This thread reads a file inside the `with` block, and beats whenever it comes farther."""
        thread = threading.get_ident()

        def beat() -> None:
            self._last[thread] = (file, self._seconds)

        beat()
        try:
            yield beat
        finally:
            del self._last[thread]

    def let_pass(self, seconds: float) -> None:
        """So long has passed, with the process at work."""
        self._seconds += seconds

    def silent(self, seconds: float) -> list[VideoFile]:
        """The files whose last sign of life is longer ago."""
        since = self._seconds - seconds
        return [file for file, last in self._last.copy().values() if last < since]


def join(
    stages: StageGroup,
    heartbeat: Heartbeat,
    limit_seconds: float,
    fail: Callable[[VideoFile, str], object],
) -> None:
    """Wait for every thread. One that reads a file and gives no sign of life for so long is lost,
    with its core: `fail` hears of the file, what else is in hand is finished, and that is the end.

    Raises:
        PipelineError: there is such a file.
        BaseException: the first exception of any thread.
    """
    while not stages.wait(LOOK_SECONDS):
        heartbeat.let_pass(LOOK_SECONDS)
        stuck = heartbeat.silent(limit_seconds)
        if stuck:
            limit = f"decode.timeout_seconds = {limit_seconds:g}"
            why = f"reading it does not come back, for longer than {limit}"
            for file in stuck:
                fail(file, why)
            stages.stop()
            while not stages.wait(LOOK_SECONDS, but=len(heartbeat.silent(limit_seconds))):
                pass
            names = ", ".join(printable(file.path) for file in stuck)
            raise PipelineError(f"{names}: {why}; it counts as failed: start again for the others")
    stages.join()
