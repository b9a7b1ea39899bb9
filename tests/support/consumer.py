"""Whoever takes the changes that a watcher sees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.source import settling
from pipeline.source.listing import Collection
from pipeline.source.watcher import Changes, Watcher

EXTENSIONS = ("mp4",)
SETTLE = 0.15
GRACE = 0.1  # in place of GRACE_SECONDS, which nobody has to wait for here
QUIET = 0.6  # seconds in which what was to come would have come; the observer may take 0.5
PATIENCE = 20.0


class Consumer:
    """Takes changes from a watcher and counts them."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.settled: Counter[str] = Counter()
        self.sizes: dict[str, int] = {}
        self.vanished: Counter[str] = Counter()
        self.rescans = 0

    def take(self, timeout: float) -> Changes:
        changes = self.watcher.changes(timeout)
        self.settled.update(video.path for video in changes.settled)
        self.sizes |= {video.path: video.size for video in changes.settled}
        self.vanished.update(changes.vanished)
        self.rescans += changes.rescan
        return changes

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < end:
            self.take(end - time.monotonic())
        assert done(), (self.settled, self.vanished, self.rescans)

    def until_quiet(self) -> None:
        while self.take(QUIET):
            pass


@contextmanager
def watching(
    root: Path, under: str = "", settle: float = SETTLE, **options: float | bool
) -> Iterator[Consumer]:
    collection = Collection(root, EXTENSIONS, under)
    with (
        pytest.MonkeyPatch.context() as patch,
        Watcher(collection, settle_seconds=settle, **options) as watcher,
    ):
        patch.setattr(settling, "GRACE_SECONDS", GRACE)
        yield Consumer(watcher)
