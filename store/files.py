"""Files and folders that are replaced whole or not at all, and arrays that live in a file."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from filelock import FileLock, Timeout

_STAGING = ".unfinished-export"
_LOCK = ".export.lock"
_ZEROS = bytes(1 << 20)

_log = logging.getLogger(__name__)


def atomic_write(file: Path, content: bytes | str, *, sync: bool = True) -> None:
    """Replace a file whole or not at all: write beside it, then rename.

    Args:
        file: may be there or not; its folder has to be.
        content: bytes, or a text to be written as UTF-8.
        sync: whether the content is on the disk on return, and so survives a loss of power.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    beside = file.with_name(f".new-{token_hex(8)}")
    try:
        with beside.open("xb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Lend an empty folder whose files replace those of `folder` when the block ends well.

    One process at a time does this to a folder; others wait for it. Renames follow one another: a
    process that is killed between two leaves whole files, some new and some old.

    Args:
        folder: made if need be.

    Raises:
        OSError: a file cannot be written; those in the folder are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        staging = folder / _STAGING
        if staging.exists():  # of a process that was killed
            shutil.rmtree(staging)
        staging.mkdir()
        try:
            yield staging
            for file in sorted(staging.iterdir()):
                file.replace(folder / file.name)
            _sync_folder(folder)
        finally:
            shutil.rmtree(staging)


@contextmanager
def durable(file: Path) -> Iterator[IO[bytes]]:
    """Lend a new file to write, which is on the disk when the block ends."""
    with file.open("xb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def mapped_array(folder: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Lend a float32 array that lives in a nameless file of a folder instead of in memory.

    Raises:
        OSError: the disk has no room for it.
    """
    rows, width = shape
    size = max(rows, 1) * width * 4  # an empty file cannot be mapped
    with TemporaryFile(dir=folder) as stream:
        # The system kills a process that writes to a map and finds the disk full.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            for start in range(0, size, len(_ZEROS)):
                stream.write(_ZEROS[: size - start])
        yield np.memmap(stream, np.float32, "r+", shape=(max(rows, 1), width))[:rows]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("another export is writing %s: waiting for it to end", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there, and renames are journaled
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
