"""Which files a run has in hand, on disk, so that the next run knows which to suspect of a crash.

A fault inside a native library ends the process without a word. What was in hand then is left in
the journal; a run that ends in any other way leaves none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError
from store.files import atomic_write


class Journal:
    """Keeps the paths of the files in hand in a file. Safe in any thread.

    Args:
        file: where they are kept; its folder must exist. None keeps none.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._in_hand: list[str] = []
        self._lock = threading.Lock()

    def left_over(self) -> list[str]:
        """Read the paths that an earlier run had in hand when it was cut short."""
        if self._file is None:
            return []
        try:
            paths: list[str] = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # ValueError: a loss of power cut it short
            return []
        except OSError as error:
            raise PipelineError(f"{self._file}: cannot be read: {error.strerror}") from error
        return paths

    @contextmanager
    def in_hand(self, paths: Sequence[str]) -> Iterator[None]:
        """Note that these files are worked on inside the `with` block."""
        with self._lock:
            self._in_hand.extend(paths)
            self._write()
        try:
            yield
        finally:
            with self._lock:
                for path in paths:
                    self._in_hand.remove(path)
                self._write()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are worked on now."""
        with self._lock:
            return tuple(self._in_hand)

    def close(self) -> None:
        """Note that the run has ended without a crash: no file is suspected."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            # Not synced: a loss of power is no crash that a file is to blame for.
            atomic_write(self._file, json.dumps(self._in_hand), sync=False)
        except OSError as error:
            raise PipelineError(f"{self._file}: cannot be written: {error.strerror}") from error
