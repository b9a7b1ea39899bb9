"""Rows that were written over in this run, for the files that are on their way.

Files change places: a content whose last row goes when another file is written there can turn up
at a path that comes next. While anything is on its way, such rows are kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.flow.catalog import Catalog
from store.schema import Row
from store.table.store import Store

MOST_ROWS = 4_096  # of some 20 kB; what is beyond is embedded anew


class ReplacedRows:
    """Kept by the thread that writes; `row_of` is safe in any thread.

    Args:
        store: holds the rows that are about to go.
        library: is told which contents can still be had.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._rows: dict[str, Row] = {}  # by content

    def keep(self, written: Mapping[str, Row], removed: Sequence[str]) -> None:
        """Before a commit: look which contents go when these rows, by path, are written and those
        of these paths are removed."""
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
            self._catalog.keep_former(lost)

    def forget_when_idle(self) -> None:
        """Nobody needs them when nothing is on its way."""
        if self._rows and not self._catalog.busy:
            self._catalog.forget_former()
            self._rows.clear()

    def row_of(self, content_hash: str) -> Row | None:
        """The row of this content, if it was written over."""
        return self._rows.get(content_hash)
