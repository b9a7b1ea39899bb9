"""What the observer's threads write down and one consumer takes. No method here waits but `wait`.

Everything is kept by file or folder, so that it stays small however many events come.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping

from pipeline.source.listing import Collection, is_listed, is_listed_folder
from pipeline.source.settling import GRACE_SECONDS, FileEvent, Settled, Settler
from store.schema import Stamp

log = logging.getLogger("pipeline.source.watcher")


class Inbox:
    """A `EventSink` of an observation; times are of `time.monotonic`."""

    def __init__(self, collection: Collection, settle_seconds: float) -> None:
        self._collection = collection
        self._changed = threading.Condition()  # guards what follows
        self._settler = Settler(settle_seconds)
        self._folders: set[str] = set()
        self._rescan_at = math.inf
        self._waits_until = -math.inf
        self._woken = self._closed = False
        self._limit: int | None = None
        self._error: Exception | None = None

    # For the observer's threads

    def on_file(self, path: str, kind: FileEvent) -> None:
        key = self._key(path)
        if is_listed(key, self._collection.extensions):
            with self._changed:
                self._notify(self._settler.note(key, kind, time.monotonic()))

    def on_folder(self, path: str) -> None:
        key = self._key(path)
        if is_listed_folder(key):
            with self._changed:
                self._folders.add(key)
                self._notify(-math.inf)

    def on_folder_gone(self, path: str) -> None:
        if not path or is_listed_folder(self._key(path)):
            self.wish_rescan()

    def on_overflow(self) -> None:
        log.warning("%s: too many changes at once, some were lost", self._collection.top)
        self.wish_rescan()

    def on_limit(self, number: int) -> None:
        with self._changed:
            self._limit = number
            self._notify(-math.inf)

    def on_error(self, error: Exception) -> None:
        with self._changed:
            self._error = error
            self._notify(-math.inf)

    # For any thread

    def wish_rescan(self, seconds: float = GRACE_SECONDS) -> None:
        """Have a rescan in so many seconds, or sooner if one is due. After the grace it comes
        along with the files that settle for the same reason."""
        with self._changed:
            self._rescan_at = min(self._rescan_at, time.monotonic() + seconds)
            self._notify(self._rescan_at)

    def consider(self, keys: Iterable[str]) -> None:
        """Let these files settle, as if an event had told that they are there."""
        now = time.monotonic()
        with self._changed:
            for key in keys:
                self._notify(self._settler.note(key, FileEvent.FOUND, now))

    def wake(self, *, close: bool = False) -> None:
        """End the `wait` that waits, else the next one; with `close` all that follow."""
        with self._changed:
            self._woken = True
            self._closed = self._closed or close
            self._notify(-math.inf)

    # For the consumer

    def wait(self, deadline: float, alarm: float) -> bool:
        """Wait until something is due or `alarm` has come; False where the consumer is to stop
        waiting: `deadline` has come, or `wake` was called.

        Raises:
            Exception: what was kept by `on_error`.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            now = time.monotonic()
            if self._closed or self._woken or now >= deadline:
                self._woken = False
                return False
            self._waits_until = min(deadline, alarm, self._next_due())
            if self._waits_until > now:
                self._changed.wait(min(self._waits_until - now, threading.TIMEOUT_MAX))
            self._waits_until = -math.inf
            return True

    def ripe(self) -> list[str]:
        """The keys to look at now."""
        with self._changed:
            return self._settler.ripe(time.monotonic())

    def settle(self, looks: Mapping[str, Stamp | None]) -> Settled:
        """What the looks tell."""
        with self._changed:
            return self._settler.settle(looks, time.monotonic())

    def has_found(self) -> bool:
        """Whether files are still to settle that may have been moved from elsewhere."""
        with self._changed:
            return self._settler.has_found

    def forget(self, key: str) -> None:
        """Drop a file until the next event."""
        with self._changed:
            self._settler.forget([key])

    def take_folders(self) -> list[str]:
        """The new folders, without those that are below another."""
        with self._changed:
            folders, self._folders = sorted(self._folders), set()
        tops: list[str] = []
        for folder in folders:
            if not tops or not folder.startswith(f"{tops[-1]}/"):
                tops.append(folder)
        return tops

    def take_rescan(self) -> bool:
        """Whether a rescan is due."""
        with self._changed:
            is_due = time.monotonic() >= self._rescan_at
            if is_due:
                self._rescan_at = math.inf
            return is_due

    def take_limit(self) -> int | None:
        """The `errno` of a folder that could not be watched."""
        with self._changed:
            limit, self._limit = self._limit, None
            return limit

    def _next_due(self) -> float:
        if self._folders or self._limit is not None:
            return -math.inf
        look_at = self._settler.next_deadline
        return self._rescan_at if look_at is None else min(self._rescan_at, look_at)

    def _notify(self, due: float) -> None:
        if due < self._waits_until:
            self._changed.notify_all()

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._collection.under, path) if part)
