"""Keeping tables small and quick: compaction, removal of old versions, sweeping of leftovers.

Every commit is a version and a few files, and reads and commits slow down with each. Compaction
merges them, and writes the whole table anew as long as that has less than a million rows.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from store.table.lance import KeyedTable, Table

COMMITS_BETWEEN = 64
"""Commits after which a table is compacted: 64 pieces cost a commit about 20 ms (measured)."""

ROWS_PER_COMMIT = 1_000
"""In a large table a commit's share of the next compaction is no more rows than this."""

RETENTION = timedelta(hours=1)
"""How long old versions stay for whoever still reads them."""

RETENTION_WHEN_BLOATED = timedelta(minutes=1)
"""The same where they take much room: with a commit a second, an hour of compactions would keep 50
copies of the table."""

BLOATED = 1.3
"""That much room is much: so many times as many bytes as the rows of now have."""

STALE_SECONDS = 86_400.0
"""Staging files of a killed writer are older than that; those of a living one are not."""


def is_due(keyed: KeyedTable, *, idle: bool = False) -> bool:
    """Whether enough was committed for a compaction to pay; when there is nothing else to do, a
    few commits are enough, but in a large table it takes as long as ever. And then old versions
    go that were too young to go before."""
    if idle and keyed.is_bloated:
        return True
    if keyed.commits < (1 if idle else COMMITS_BETWEEN):
        return False
    table = keyed.table
    return table is not None and keyed.commits >= table.count_rows() // ROWS_PER_COMMIT


def compact(keyed: KeyedTable, folder: Path | None) -> None:
    """Merge the table's pieces, update its indexes, and remove old versions.

    Args:
        keyed: the table.
        folder: the store's, where it is a local one.
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
    """Remove the staging files that killed writers left, which LanceDB never does; how many."""
    oldest = time.time() - STALE_SECONDS
    stale = [file for file in folder.rglob(".tmp*") if _modified(file) < oldest]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)


def bytes_on_disk(folder: Path) -> int:
    """Bytes of the files under a folder, which may change meanwhile."""
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
