"""The meeting place of the observer's threads, which note events, and one consumer, which waits.

Everything is kept by file or folder, so that memory stays small however many events come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.source.listing import Collection
from pipeline.source.names import is_listed, is_listed_folder
from pipeline.source.settling import GRACE_SECONDS, NEVER, NOW, FileEvent, Settled, Settler
from store.schema import Stamp

log = logging.getLogger("pipeline.source.watcher")


@dataclass(frozen=True)
class Due:
    """What the consumer has to do now.

    Args:
        at: when that was asked, of `time.monotonic`.
        files: keys of files to look at.
        folders: keys of new folders to list, none of them below another.
        rescan: whether to list the whole collection.
        limit: `errno` of a folder that could not be watched; None where all could.
    """

    at: float
    files: tuple[str, ...]
    folders: tuple[str, ...]
    rescan: bool
    limit: int | None


class EventInbox:
    """Keeps what an observer reports until it is due; an `EventSink`. No method but `wait` blocks.

    Each thing has a time of `time.monotonic` at which it is due, and the consumer sleeps until the
    earliest one:

        file            when its settler wants a look; NEVER while none is pending
        rescan          when it was requested for; NEVER while none is
        folder, limit   NOW while there is one
        wake, error     NOW, and `wait` does not return True

    Args:
        collection: the folder whose events come in.
        settle_seconds: time between two looks at a file that nobody has closed.
    """

    def __init__(self, collection: Collection, settle_seconds: float) -> None:
        self._collection = collection
        self._changed = threading.Condition()  # guards what follows
        self._settler = Settler(settle_seconds)
        self._folders: set[str] = set()
        self._limit: int | None = None
        self._rescan_at = NEVER
        self._sleeps_until = NOW  # while the consumer is awake
        self._woken = self._closed = False
        self._error: Exception | None = None

    # For the observer's threads

    def on_files(self, events: Mapping[str, FileEvent]) -> None:
        """Note events of files that a listing would hold, at one time for all.

        So the two names of a moved file settle together: a row whose old name is gone before the
        new one is there would be let go.
        """
        keys = {self._key(path): event for path, event in events.items()}
        extensions = self._collection.extensions
        self._note({key: event for key, event in keys.items() if is_listed(key, extensions)})

    def on_folder(self, path: str) -> None:
        """Note a folder to list."""
        key = self._key(path)
        if is_listed_folder(key):
            with self._changed:
                self._folders.add(key)
                self._notify(NOW)

    def on_folder_gone(self, path: str) -> None:
        """Request a rescan: no event names the files that went with the folder."""
        if not path or is_listed_folder(self._key(path)):
            self.request_rescan()

    def on_overflow(self) -> None:
        """Request a rescan, which finds what the lost events were about."""
        log.warning("%s: too many changes at once, some were lost", self._collection.top)
        self.request_rescan()

    def on_limit(self, number: int) -> None:
        """Note the limit that kept a folder from being watched."""
        with self._changed:
            self._limit = number
            self._notify(NOW)

    def on_error(self, error: Exception) -> None:
        """Keep an error of the methods above for the consumer."""
        with self._changed:
            self._error = error
            self._notify(NOW)

    # For any thread

    def request_rescan(self, seconds: float = GRACE_SECONDS) -> None:
        """Make a rescan due, unless one is due earlier.

        Args:
            seconds: from now; by default it comes with the files that settle for the same reason.
        """
        with self._changed:
            self._rescan_at = min(self._rescan_at, time.monotonic() + seconds)
            self._notify(self._rescan_at)

    def note_found(self, keys: Iterable[str]) -> None:
        """Note files that a listing found, as if an event had named each."""
        self._note(dict.fromkeys(keys, FileEvent.FOUND))

    def wake(self, *, close: bool = False) -> None:
        """End the `wait` in progress, else the next one.

        Args:
            close: end every later one, too.
        """
        with self._changed:
            self._woken = True
            self._closed = self._closed or close
            self._notify(NOW)

    # For the consumer

    def wait(self, deadline: float, alarm: float) -> bool:
        """Sleep until something is due.

        Args:
            deadline: time after which the consumer does not want to wait any longer.
            alarm: time at which the consumer has something of its own to do.

        Returns:
            False where the consumer has to return: `deadline` has passed, or `wake` was called.

        Raises:
            Exception: the error that `on_error` kept.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            now = time.monotonic()
            if self._closed or self._woken or now >= deadline:
                self._woken = False
                return False
            self._sleeps_until = min(deadline, alarm, self._next_due())
            if self._sleeps_until > now:
                self._changed.wait(min(self._sleeps_until - now, threading.TIMEOUT_MAX))
            self._sleeps_until = NOW
            return True

    def take_due(self) -> Due:
        """Hand over what is due now. Files stay until `settle` or `forget`."""
        with self._changed:
            now = time.monotonic()
            due = Due(
                at=now,
                files=tuple(self._settler.due_keys(now)),
                folders=_topmost(self._folders),
                rescan=now >= self._rescan_at,
                limit=self._limit,
            )
            self._folders, self._limit = set(), None
            if due.rescan:
                self._rescan_at = NEVER
            return due

    def settle(self, looks: Mapping[str, Stamp | None], at: float) -> Settled:
        """Decide from looks at files that were due at a time which of them have settled.

        A file that came since, where a look saw none, is looked at again.
        """
        with self._changed:
            return self._settler.settle(looks, at)

    def forget(self, key: str) -> None:
        """Drop a file until the next event."""
        with self._changed:
            self._settler.forget(key)

    def has_found(self) -> bool:
        """Whether a pending file may have been moved here from elsewhere in the collection."""
        with self._changed:
            return self._settler.has_found

    def _note(self, events: Mapping[str, FileEvent]) -> None:
        """Note events of files, by key."""
        with self._changed:
            now = time.monotonic()  # in here, so that it is later than a look that it overtakes
            for key, event in events.items():
                self._notify(self._settler.note(key, event, now))

    def _next_due(self) -> float:
        if self._folders or self._limit is not None:
            return NOW
        return min(self._rescan_at, self._settler.next_look)

    def _notify(self, due: float) -> None:
        if due < self._sleeps_until:
            self._changed.notify_all()

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._collection.under, path) if part)


def _topmost(folders: Iterable[str]) -> tuple[str, ...]:
    """The folders that are not below another one."""
    tops: list[str] = []
    for folder in sorted(folders, key=lambda key: key.split("/")):
        if not tops or not folder.startswith(f"{tops[-1]}/"):
            tops.append(folder)
    return tuple(tops)
