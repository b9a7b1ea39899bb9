"""Threads that a test can wait for without hanging."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic

from pipeline.flow.channel import Channel, Ended
from pipeline.flow.workers import StageGroup

PATIENCE = 20.0  # seconds after which a test gives up on a thread


class UsualDistance:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.result: object = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except Ended as ended:
            self.result = ended

    def is_waiting(self) -> bool:
        """Whether it has not ended, given a moment for it."""
        self._thread.join(0.05)
        return self._thread.is_alive()

    def wait(self) -> object:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it hangs"
        return self.result


class Held:
    """How many items there were at once, at most."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._now += count
            self.most = max(self.most, self._now)


class Bug(Exception):
    """What no stage expects."""


def fail() -> None:
    raise Bug


def drain(channel: Channel[int]) -> Iterator[int]:
    while True:
        try:
            yield from channel.take()
        except Ended:
            return


def join(crew: StageGroup) -> None:
    """`crew.join()`, in a time that tells a slow machine from one that hangs."""
    joined = threading.Event()

    def watch() -> None:
        if not joined.wait(PATIENCE):
            crew.stop()

    watchdog = threading.Thread(target=watch)
    watchdog.start()
    began = monotonic()
    try:
        crew.join()
    finally:
        joined.set()
        watchdog.join()
    assert monotonic() - began < PATIENCE, "it hung"


def each(work: Callable[[int], int]) -> Callable[[list[int]], list[int]]:
    return lambda items: [work(item) for item in items]
