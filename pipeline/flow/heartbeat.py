"""Signs of life of the files that are being read.

A thread cannot be interrupted in a call that never comes back, from a dead drive or from a decoder
that goes round in circles; that can only be noticed from outside.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.records import VideoFile
from pipeline.stages.read import Beat


def hung(limit_seconds: float) -> str:
    """Reason of the failure of a file whose reading gave no sign of life for so long."""
    return f"reading it has hung for longer than decode.timeout_seconds = {limit_seconds:g}"


class Heartbeat:
    """Knows which files are read, and when reading each last went on. Safe in any thread.

    Time passes only by `let_pass`: a process that was suspended for an hour, as by Ctrl-Z, has not
    been silent for an hour.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last: dict[int, tuple[VideoFile, float]] = {}

    @contextmanager
    def reading(self, file: VideoFile) -> Iterator[Beat]:
        """Watch over a file that this thread reads inside the `with` block.

        Yields:
            A function to call whenever reading goes on.
        """
        thread = threading.get_ident()

        def beat() -> None:
            self._last[thread] = (file, self._seconds)

        beat()
        try:
            yield beat
        finally:
            self._last.pop(thread, None)

    def let_pass(self, seconds: float) -> None:
        """Note that seconds have passed, with the process at work."""
        self._seconds += seconds

    def take_silent(self, seconds: float) -> dict[int, VideoFile]:
        """Files whose last sign of life is longer ago than `seconds`, by the thread that reads.

        They are no longer watched over.
        """
        since = self._seconds - seconds
        silent = {
            thread: file for thread, (file, last) in self._last.copy().items() if last < since
        }
        for thread in silent:
            self._last.pop(thread, None)
        return silent
