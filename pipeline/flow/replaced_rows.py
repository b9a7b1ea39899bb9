"""Rows that this run wrote over, kept for the files that are on their way.

Files change places: a content whose last row goes when another file is written there can turn up
at a path that comes next. While any file is on its way, such rows are kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.flow.catalog import Catalog
from store.schema import Row
from store.table.store import Store

MOST_ROWS = 4_096  # of some 20 kB each; contents of rows beyond are embedded again


class ReplacedRows:
    """Keeps whole rows by content. For the thread that writes; `row_of` is safe in any thread.

    Args:
        store: holds the rows that are about to go.
        catalog: tells which contents lose their last row.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._rows: dict[str, Row] = {}

    def keep(self, written: Mapping[str, Row], removed: Sequence[str]) -> None:
        """Keep the rows whose content a commit is about to take from the store.

        Args:
            written: rows that the commit writes, by path.
            removed: paths whose rows it removes.
        """
        replaced = [
            path
            for path, row in written.items()
            if self._catalog.hash_of(path) not in (None, row.content_hash)
        ]
        going = self._catalog.last_of_their_content([*replaced, *removed])
        there = {row.content_hash for row in written.values()}
        lost = [path for path in going if self._catalog.hash_of(path) not in there]
        lost = lost[: max(MOST_ROWS - len(self._rows), 0)]
        if lost:
            self._rows |= {row.content_hash: row for row in self._store.rows(lost).values()}

    def forget(self) -> None:
        """Forget all of them; their vectors can no longer be reused."""
        self._rows.clear()

    def row_of(self, content_hash: str) -> Row | None:
        """Row of this content, None where none was written over."""
        return self._rows.get(content_hash)
