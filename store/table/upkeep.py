"""Upkeep, which keeps tables small and quick: compaction, removal of old versions and of leftovers.

Every commit is a version and a few files, and reads and commits slow down with each. Compaction
merges them, and rewrites the whole table while it has less than a million rows.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from store.table.keyed import KeyedTable
from store.table.lance import Table

COMMITS_BETWEEN = 64
"""Commits after which a table is compacted: 64 fragments cost a commit about 20 ms (measured)."""

ROWS_PER_COMMIT = 1_000
"""Most rows of a table for each commit since its last compaction: a large one waits for more."""

RETENTION = timedelta(hours=1)
"""Time for which old versions stay, for whoever still reads them."""

RETENTION_WHEN_BLOATED = timedelta(minutes=1)
"""Time for which they stay in a bloated folder: with a commit a second, an hour of compactions
would keep 50 copies of the table."""

BLOATED = 1.3
"""Old versions are trimmed early once the folder exceeds this multiple of the live data."""

STALE_SECONDS = 86_400.0
"""Age from which on a staging file is a killed writer's; a living one's is younger."""


def is_due(keyed: KeyedTable, *, idle: bool = False) -> bool:
    """Tell whether enough was committed for a compaction to pay.

    An idle writer compacts after a single commit, but in a large table, where that takes long,
    after as many as ever. It also removes old versions that were too young before.
    """
    if idle and keyed.is_bloated:
        return True
    if keyed.commits < (1 if idle else COMMITS_BETWEEN):
        return False
    table = keyed.table
    return table is not None and keyed.commits >= table.count_rows() // ROWS_PER_COMMIT


def compact(keyed: KeyedTable, folder: Path | None) -> None:
    """Merge the table's fragments, update its indexes, and remove old versions.

    Args:
        keyed: the table.
        folder: the store's folder; None where it is not a local one.
    """
    table = keyed.table
    if table is None:
        return
    keyed.commits = 0  # also when it fails: tried again after as many commits, not at each
    table.optimize(cleanup_older_than=RETENTION)
    if folder is None:
        return
    own = folder / f"{keyed.name}.lance"
    sweep(own)
    keyed.is_bloated = _is_bloated(table, own)
    if keyed.is_bloated:
        table.optimize(cleanup_older_than=RETENTION_WHEN_BLOATED)
        keyed.is_bloated = _is_bloated(table, own)


def sweep(folder: Path) -> int:
    """Remove the staging files that killed writers left, which LanceDB never does; count them."""
    oldest = time.time() - STALE_SECONDS
    stale = [file for file in folder.rglob(".tmp*") if _modified(file) < oldest]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)


def bytes_on_disk(folder: Path) -> int:
    """Add up the bytes of the files under a folder, which may change meanwhile."""
    return sum(_size(file) for file in folder.rglob("*"))


def _is_bloated(table: Table, folder: Path) -> bool:
    stats: Any = table.stats()
    is_large = bytes_on_disk(folder) > BLOATED * int(stats["total_bytes"])
    return is_large and len(table.list_versions()) > 1  # a tiny table has more of all else


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:
        return 0


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
