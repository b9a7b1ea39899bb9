"""What takes long to compute: made in the background, and given as it last was until then."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from pipeline.web.answers import NotReadyError
from pipeline.web.pool import Pool

V = TypeVar("V")
T = TypeVar("T")

REST = 3.0
"""Times as long as it took, for which a computation rests before it is made again: while a scan
writes a version a second, the machine is for the scan."""


class Background(Generic[V, T]):
    """Computes something again when the version that it is made of has changed.

    Args:
        pool: threads that compute it.
        make: the computation.
        waiting: what is being done, a sentence for those who wait.
    """

    def __init__(self, pool: Pool, make: Callable[[], T], waiting: str) -> None:
        self._pool = pool
        self._make = make
        self._waiting = waiting
        self._made: tuple[T, V] | None = None
        self._job: tuple[Future[T], V] | None = None
        self._rests_until = 0.0
        self._lock = Lock()

    @property
    def made(self) -> tuple[T, V] | None:
        """What was made last, and of which version; nothing is begun."""
        return self._made

    def get(self, version: V) -> tuple[T, V]:
        """Give what was made last, and of which version; what is newer is then being made.

        Args:
            version: that there is now.

        Raises:
            NotReadyError: nothing has been made yet.
            Exception: the one of the last computation; the next call tries again.
        """
        with self._lock:
            if self._job is not None and self._job[0].done():
                (job, of), self._job = self._job, None
                self._made = (job.result(), of)
            is_current = self._made is not None and self._made[1] == version
            is_rested = self._made is None or monotonic() > self._rests_until
            if not is_current and is_rested and self._job is None:
                self._job = (self._pool.submit(self._timed), version)
            if self._made is None:
                raise NotReadyError(self._waiting)
            return self._made

    def forget(self) -> None:
        """Make it again at the next call, and give nothing until then."""
        with self._lock:
            self._made = None

    def _timed(self) -> T:
        began = monotonic()
        made = self._make()
        self._rests_until = monotonic() + REST * (monotonic() - began)
        return made


class Latest(Generic[V, T]):
    """Keeps what was made last, for as long as it is asked for by the same key."""

    def __init__(self) -> None:
        self._kept: tuple[V, T] | None = None
        self._lock = Lock()

    def get(self, key: V, make: Callable[[], T]) -> T:
        """Give what was made for this key, or make it."""
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = (key, make())
            return self._kept[1]
