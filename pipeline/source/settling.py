"""Decides when a file that is being written is whole, from events, looks and time; has no clock.

An event says that something happened to a file. A look is the file's stamp (size and modification
time), or None where there is no such file. A file settles

- when it was closed after writing or renamed to its name, and then left alone for `GRACE_SECONDS`;
- else when two looks, `settle_seconds` apart and without an event between them, are equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from store.schema import Stamp

NEVER, NOW = math.inf, -math.inf  # as times at which something is due

GRACE_SECONDS = 0.5  # some writers close a file and open it again at once
REMEMBERED = 4096  # files that settled while somebody may still hold them open


class FileEvent(Enum):
    """What happened to a file."""

    FOUND = auto()  # it is there; by whom and since when is not known
    WRITTEN = auto()  # bytes were written
    CLOSED = auto()  # somebody who could write closed it
    RENAMED = auto()  # it has come to this name, whole
    TOUCHED = auto()  # its times or rights changed
    GONE = auto()  # deleted, or renamed to another name


@dataclass(frozen=True)
class Settled:
    """Files that nobody writes any more.

    Args:
        files: stamps of whole files, by key.
        gone: keys of files that are not there.
    """

    files: dict[str, Stamp]
    gone: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pending:
    event: FileEvent
    due: float  # when to look
    seen: Stamp | None = None  # the look before, if no event came since

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write: one look is not enough."""
        return self.event in (FileEvent.FOUND, FileEvent.WRITTEN)


class Settler:
    """Keeps the files that something happened to until they settle. Not thread-safe.

    Times are in seconds, of any clock that does not go back.

    Args:
        settle_seconds: time between two looks at a file that somebody may still write.
    """

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._pending: dict[str, _Pending] = {}
        self._unclosed: dict[str, Stamp] = {}  # settled before anybody closed them

    @property
    def has_found(self) -> bool:
        """Whether a file is pending whose origin no event names."""
        return any(pending.event is FileEvent.FOUND for pending in self._pending.values())

    @property
    def next_look(self) -> float:
        """When the next look is due; NEVER where nothing is pending."""
        return min((pending.due for pending in self._pending.values()), default=NEVER)

    def note(self, key: str, event: FileEvent, now: float) -> float:
        """Note an event of a file, and return when to look at the file."""
        pending = self._pending.get(key)
        if event in (FileEvent.WRITTEN, FileEvent.RENAMED, FileEvent.GONE):
            self._unclosed.pop(key, None)
        if event is FileEvent.FOUND and pending and pending.event is not FileEvent.GONE:
            return pending.due
        if event in (FileEvent.WRITTEN, FileEvent.TOUCHED) and pending and pending.is_open:
            pending.seen = None
            return pending.due
        is_open = event in (FileEvent.FOUND, FileEvent.WRITTEN)
        self._pending[key] = _Pending(event, now if is_open else now + GRACE_SECONDS)
        return self._pending[key].due

    def due_keys(self, now: float) -> list[str]:
        """List the files to look at now."""
        return [key for key, pending in self._pending.items() if pending.due <= now]

    def settle(self, looks: Mapping[str, Stamp | None], now: float) -> Settled:
        """Decide from looks at due files; a look that an event has overtaken decides nothing.

        Args:
            looks: at files that were due.
            now: when they were, which is before the first look.
        """
        files, gone = {}, []
        for key, stamp in looks.items():
            pending = self._pending.get(key)
            if pending is None or pending.due > now:
                continue
            if stamp is None:
                self.forget(key)
                gone.append(key)
            elif self._has_settled(key, pending, stamp, now):
                files[key] = stamp
        return Settled(files, tuple(gone))

    def forget(self, key: str) -> None:
        """Drop a file; only another event brings it back."""
        self._pending.pop(key, None)
        self._unclosed.pop(key, None)

    def _has_settled(self, key: str, pending: _Pending, stamp: Stamp, now: float) -> bool:
        if pending.event is FileEvent.GONE:  # it has come back
            self._pending[key] = pending = _Pending(FileEvent.FOUND, now)
        if not pending.is_open:
            del self._pending[key]
            if pending.event is FileEvent.CLOSED:
                # If it settled before its writer closed it, then nothing is new about it now.
                return self._unclosed.pop(key, None) != stamp
            if key in self._unclosed:
                self._unclosed[key] = stamp
            return True
        if pending.seen != stamp:
            pending.seen, pending.due = stamp, now + self._settle_seconds
            return False
        del self._pending[key]
        self._unclosed[key] = stamp
        if len(self._unclosed) > REMEMBERED:
            del self._unclosed[next(iter(self._unclosed))]
        return True
