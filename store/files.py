"""Files that are replaced whole: written beside the former ones, then renamed into their place."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

_STAGING = ".export-"
_PASSING_BYTES = 1 << 26


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder to write files in; without an error they then replace those in `folder`.

    What a killed process left of its own is removed first. The renames follow one another: a
    process killed between two leaves whole files, some new and some old.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(stale)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    try:
        yield staging
        for file in sorted(staging.iterdir()):
            file.replace(folder / file.name)
        _sync_folder(folder)
    finally:
        shutil.rmtree(staging)


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
def durable(file: Path) -> Iterator[IO[bytes]]:
    """A new file to write, on the disk when the block ends."""
    with io.BufferedWriter(_Passing(file, "xb")) as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


class _Passing(io.FileIO):
    """Of what has been written to it, at most so much stays in memory (where the system can be
    told): a file of gigabytes would drive out what other programs have there, and on a virtual
    machine new memory can take longer than the disk."""

    _held = 0

    def write(self, data: Any) -> int:
        written = super().write(data)
        self._held += written
        if self._held >= _PASSING_BYTES and hasattr(os, "posix_fadvise"):
            os.fdatasync(self.fileno())  # only what is on the disk can go
            os.posix_fadvise(self.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self._held = 0
        return written


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there, and renames are journaled
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
