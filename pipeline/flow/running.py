"""What a run is doing, in a file beside the store: for whoever looks on from another process."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from store.files import atomic_write
from store.table.store import Store

FILE = "running.json"
STALE_SECONDS = 5.0
"""A note is written once a second; one that is older was left by a process that was killed."""


@dataclass(frozen=True)
class Running:
    """What a run is doing.

    Args:
        command: `scan` or `watch`.
        files_done: files of this load that have come to their end.
        files_total: files of this load.
        rate: files a second; None while there is none to tell.
        left_seconds: time that the rest takes at that rate.
        now: row paths of the files in hand.
    """

    command: str
    files_done: int
    files_total: int
    rate: float | None
    left_seconds: float | None
    now: tuple[str, ...] = ()


class RunningNote:
    """Keeps the note of one run.

    Args:
        file: where it is kept; None keeps none.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def write(self, running: Running) -> None:
        """Replace the note. A disk that is full ends no run for this."""
        if self._file is not None:
            with suppress(OSError):
                atomic_write(self._file, json.dumps(asdict(running)), sync=False)

    def remove(self) -> None:
        """Take the note away: the run has ended."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)


def read_running(store: Store) -> Running | None:
    """Read what a run on this store is doing; None where none is.

    Args:
        store: opened to read.
    """
    file = store.scratch(FILE)
    if file is None:
        return None
    try:
        if time.time() - file.stat().st_mtime > STALE_SECONDS:
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # there is none, or it is being replaced
        return None
    return Running(**{**content, "now": tuple(content["now"])})
