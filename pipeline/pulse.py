"""Signs of life of the files that are being read.

No thread can be interrupted in a call that never comes back, from a dead drive or from a decoder
that goes round in circles; it can only be noticed from outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.records import VideoFile

Beat = Callable[[], None]
"""Says that reading goes on."""


class Pulse:
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
