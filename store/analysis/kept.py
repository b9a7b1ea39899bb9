"""What was learned from a store, kept in files beside its tables, so that it is learned once.

Each subject is an `.npz` of arrays. A matrix that is too large to read for every question is a
`.npy` of its own, mapped into memory. Files are replaced whole, so that any number of
processes may read and write them at a time; the last to write wins. A file that is damaged, or of
another recipe or program, counts as none, and the log says so.
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from zipfile import BadZipFile

import numpy as np

from store.schema import Recipe
from store.table.store import Store
from store.threads import on_all_cores

FORMAT = 3
"""Raise it when what is kept changes its meaning."""

FOLDER = "learned"

_ABOUT = "about"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error)
_PARTS = 16
_STALE_SECONDS = 86_400.0  # a file that is still being written is younger

_log = logging.getLogger(__name__)


class Kept:
    """Files of what was learned from a store about the rows of one recipe.

    Args:
        store: the store; nothing is kept of one that is not in a local folder.
        recipe: what made the rows. Only the latest recipe's files are kept.
    """

    def __init__(self, store: Store, recipe: Recipe) -> None:
        folder = store.scratch(FOLDER)
        self._folder = folder if folder is not None and folder.parent.is_dir() else None
        self._about = json.dumps([FORMAT, *recipe])

    def stamp(self, subject: str) -> tuple[int, int] | None:
        """Return what differs after a subject was kept again; None where it is not kept."""
        file = self._file(subject)
        try:
            facts = file.stat() if file is not None else None
        except OSError:
            return None
        return (facts.st_ino, facts.st_mtime_ns) if facts else None

    def load(self, subject: str, names: Sequence[str] = ()) -> dict[str, np.ndarray] | None:
        """Read arrays of a subject, all of them where none is named.

        Returns:
            None where there are none to be used.
        """
        file = self._file(subject)
        if file is None or not file.exists():
            return None
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as read:
                wanted = [*names, _ABOUT] if names else read.files
                arrays = {name: read[name] for name in wanted}
            about = str(arrays.pop(_ABOUT))
        except _UNREADABLE as error:
            _log.warning("%s is damaged and is made again: %s", file, error)
            return None
        if about != self._about:
            _log.info("%s is of another recipe or program and is made again", file)
            return None
        return arrays

    def save(self, subject: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep the arrays of a subject; a failure is logged, since it costs time and no result."""
        file = self._file(subject)
        if file is not None:
            with _logged(file), _replacing(file) as beside:
                np.savez(beside, allow_pickle=False, **arrays, **{_ABOUT: np.array(self._about)})

    def map_matrix(self, name: str, checksum: int) -> np.ndarray | None:
        """Map a matrix into memory; None where there is none of this checksum.

        Whoever reads it checks it first: that takes as long as reading all of it.
        """
        file = self._matrix(name, checksum)
        if file is None:
            return None
        try:
            found: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None  # another process has written a newer one
        except _UNREADABLE as error:
            _log.warning("%s is damaged and is made again: %s", file, error)
            return None
        return found

    @staticmethod
    def is_whole(matrix: np.ndarray, checksum: int) -> bool:
        """Whether a matrix is as it was kept."""
        is_same = _checksum(matrix) == checksum
        if not is_same:
            _log.warning("a matrix that was kept is damaged (%08x) and is made again", checksum)
        return is_same

    def save_matrix(self, name: str, matrix: np.ndarray) -> int:
        """Keep a matrix in place of the last one of that name, and return its checksum."""
        matrix = np.ascontiguousarray(matrix)
        checksum = _checksum(matrix)
        file = self._matrix(name, checksum)
        if file is not None:
            with _logged(file):
                with _replacing(file) as beside:
                    np.save(beside, matrix, allow_pickle=False)
                for old in file.parent.glob(f"{name}-*.npy"):
                    if old != file:
                        old.unlink(missing_ok=True)
        return checksum

    def _file(self, subject: str) -> Path | None:
        return self._folder / f"{subject}.npz" if self._folder is not None else None

    def _matrix(self, name: str, checksum: int) -> Path | None:
        return self._folder / f"{name}-{checksum:08x}.npy" if self._folder is not None else None


def _checksum(matrix: np.ndarray) -> int:
    """Return a checksum of those of its parts, which all cores compute."""
    parts = on_all_cores(lambda rows: zlib.crc32(rows.data), np.array_split(matrix, _PARTS))
    return zlib.crc32(np.array(parts, np.uint32).data)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Lend the name of a file, with the same ending, that replaces the other one."""
    file.parent.mkdir(exist_ok=True)
    for left in file.parent.glob(".new-*"):  # by a process that was killed
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            left.unlink(missing_ok=True)
    beside = file.with_name(f".new-{token_hex(8)}{file.suffix}")
    try:
        yield beside
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.warning("%s cannot be written: what it holds is made again next time: %s", file, error)
