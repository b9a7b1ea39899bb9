"""Files that are replaced whole: written beside the former ones, then renamed into their place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_STAGING = ".export-"


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


@contextmanager
def durable(file: Path) -> Iterator[IO[bytes]]:
    """A new file to write, on the disk when the block ends."""
    with file.open("xb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there, and renames are journaled
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
