"""When a file that is being written is whole: arithmetic of events, looks and time, no clock.

An event says that something happened to a file. A look is its stamp (size and modification time),
or None where there is no such file. A file settles

- when it was closed after writing or renamed to its name, and then left alone for `GRACE_SECONDS`;
- else when two looks, `settle_seconds` apart and without an event between them, are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from store.schema import Stamp

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
    """What has come to rest: the stamps of whole files by key, and the keys that are gone."""

    files: dict[str, Stamp]
    gone: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pending:
    kind: FileEvent
    due: float  # when to look
    seen: Stamp | None = None  # the look before, if no event came since

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write: one look is not enough."""
        return self.kind in (FileEvent.FOUND, FileEvent.WRITTEN)


class Settler:
    """The files that something happened to and that have not settled. Times are in seconds, of
    any clock that does not go back. Not for several threads at once."""

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._pending: dict[str, _Pending] = {}
        self._unclosed: dict[str, Stamp] = {}

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def has_found(self) -> bool:
        """Whether a file is pending of which no event tells where it came from."""
        return any(pending.kind is FileEvent.FOUND for pending in self._pending.values())

    @property
    def next_deadline(self) -> float | None:
        """When the next look is due; None where nothing is pending."""
        return min((pending.due for pending in self._pending.values()), default=None)

    def note(self, key: str, kind: FileEvent, now: float) -> float:
        """Take note of an event; returns when to look at the file."""
        pending = self._pending.get(key)
        if kind in (FileEvent.WRITTEN, FileEvent.RENAMED, FileEvent.GONE):
            self._unclosed.pop(key, None)
        if kind is FileEvent.FOUND and pending and pending.kind is not FileEvent.GONE:
            return pending.due
        if kind in (FileEvent.WRITTEN, FileEvent.TOUCHED) and pending and pending.is_open:
            pending.seen = None
            return pending.due
        is_open = kind in (FileEvent.FOUND, FileEvent.WRITTEN)
        self._pending[key] = _Pending(kind, now if is_open else now + GRACE_SECONDS)
        return self._pending[key].due

    def ripe(self, now: float) -> list[str]:
        """The keys to look at now."""
        return [key for key, pending in self._pending.items() if pending.due <= now]

    def settle(self, looks: Mapping[str, Stamp | None], now: float) -> Settled:
        """What the looks at ripe files tell. A look that an event has overtaken tells nothing."""
        files, gone = {}, []
        for key, stamp in looks.items():
            pending = self._pending.get(key)
            if pending is None or pending.due > now:
                continue
            if stamp is None:
                self._forget(key)
                gone.append(key)
            elif self._has_settled(key, pending, stamp, now):
                files[key] = stamp
        return Settled(files, tuple(gone))

    def due(self, now: float, look: Callable[[str], Stamp | None]) -> Settled:
        """Look at what is ripe and tell what has settled."""
        return self.settle({key: look(key) for key in self.ripe(now)}, now)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop files; only a new event brings them back."""
        for key in keys:
            self._forget(key)

    def _has_settled(self, key: str, pending: _Pending, stamp: Stamp, now: float) -> bool:
        if pending.kind is FileEvent.GONE:  # it has come back
            self._pending[key] = pending = _Pending(FileEvent.FOUND, now)
        if not pending.is_open:
            del self._pending[key]
            if pending.kind is FileEvent.CLOSED:
                # If it settled before its writer closed it, then nothing is new about it now.
                return self._unclosed.pop(key, None) != stamp
            if key in self._unclosed:
                self._unclosed[key] = stamp
            return True
        if pending.seen != stamp:
            pending.seen, pending.due = stamp, now + self._settle_seconds
            return False
        del self._pending[key]
        self._remember(key, stamp)
        return True

    def _remember(self, key: str, stamp: Stamp) -> None:
        self._unclosed[key] = stamp
        if len(self._unclosed) > REMEMBERED:
            del self._unclosed[next(iter(self._unclosed))]

    def _forget(self, key: str) -> None:
        self._pending.pop(key, None)
        self._unclosed.pop(key, None)
