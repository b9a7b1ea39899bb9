"""Whether a file is there: present, absent, or nobody can say."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from store.schema import Stamp


@dataclass(frozen=True)
class Unknown:
    """What a look at a file gives where the system does not say whether the file is there.

    Rights that were taken away and a network drive that died are examples. A file of which this
    is all that is known has neither gone nor changed.

    Args:
        reason: the system's own words.
    """

    reason: str


def look_at(path: str | Path) -> Stamp | Unknown | None:
    """Look whether a regular file is present, absent, or out of reach.

    Args:
        path: of the file; symbolic links are followed.

    Returns:
        Its stamp; None where no regular file is there; Unknown where the system does not say.
    """
    try:
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no possible name
        return None
    except OSError as error:
        return Unknown(error.strerror or str(error))
    return stamp_of(facts) if stat.S_ISREG(facts.st_mode) else None


def stamp_of(facts: os.stat_result) -> Stamp:
    """Make a stamp of what `os.stat` gives for a file.

    Broken clocks of cameras reach years that nanoseconds in 64 bits, which the store keeps, do not
    (before 1677 or after 2262): such a time becomes the nearest one that they hold.
    """
    return Stamp(facts.st_size, min(max(facts.st_mtime_ns, -(2**63)), 2**63 - 1))
