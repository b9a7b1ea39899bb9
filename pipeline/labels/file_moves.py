"""Move one file to where none is: whether that can be done, and doing it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from pipeline.labels.move_log import Move
from pipeline.source.presence import Unknown, look_at

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def obstacle(move: Move) -> str:
    """Say why a move must not be made; empty if nothing speaks against it."""
    if os.path.islink(move.origin):
        return "it is a symbolic link"
    seen = look_at(move.origin)
    if isinstance(seen, Unknown):
        return f"it cannot be reached: {seen.reason}"
    if seen is None:
        return "there is no such file"
    if seen != move.stamp:
        return "it has changed meanwhile"
    return f"there is a {move.target} already" if os.path.lexists(move.destination) else ""


def already_over(move: Move) -> str:
    """Say why nothing of a logged move is left to take back; empty if it can be taken back.

    A file that is missing together with all others of its folder may be on a drive that is away.
    """
    there = look_at(move.destination)
    if there != move.stamp and look_at(move.origin) == move.stamp:
        return "it is in its old place"
    with suppress(OSError):
        if there is None and any(move.destination.parent.iterdir()):
            return f"it is no longer at {move.target}"
    return ""


def make(move: Move) -> str:
    """Move a file to a place where none is, and say why that failed; empty if it did not."""
    folder = move.destination.parent
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _rename(move.origin, move.destination)
        except OSError:
            if is_new:
                with suppress(OSError):
                    folder.rmdir()
            raise
    except OSError as error:
        return f"it cannot be moved: {error.strerror}"
    return ""


def _rename(source: Path, target: Path) -> None:
    """Rename a file, and fail where the target exists, unlike the system's rename."""
    try:
        os.link(source, target)
        has_link = True
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with target.open("xb"):  # takes the name with an empty file of our own
            has_link = False
    try:
        if has_link:
            source.unlink()
        else:
            source.replace(target)
    except OSError:
        # A network file system that is asked twice may report a failure of what it has done.
        if look_at(source) is not None:
            target.unlink()
            raise
