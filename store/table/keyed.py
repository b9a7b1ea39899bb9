"""A LanceDB table with a text key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from store.errors import StoreError
from store.schema import check_key
from store.table.arrow import ADDED
from store.table.lance import Database, Expr, Table, col, translated

KEYS_PER_FILTER = 5_000
"""Most keys in one filter; 5,000 take LanceDB 50 ms."""

KEYS_LOOKED_UP = 250
"""Most rows of a commit whose keys are looked up in the index of keys, 0.1 ms each. For more rows,
reading the keys of a million rows is quicker, 65 ms."""


class KeyedTable:
    """A table of which the first column is a text key. Safe to use from several threads.

    Args:
        database: the database that it is in.
        name: the table's name.
        key: the name of its first column.
    """

    def __init__(self, database: Database, name: str, key: str) -> None:
        self.name = name
        self.commits = 0  # since it was last compacted; pieces left by earlier runs count
        self.is_bloated = False  # whether old versions took much room then
        self._key = key
        self._database = database
        self._table: Table | None = None
        self._lock = threading.RLock()

    @property
    def table(self) -> Table | None:
        """LanceDB's own handle, or None where the table does not exist yet."""
        with self._lock:
            if self._table is None:
                self._table = self._database.open(self.name)
                if self._table is not None and self._database.writer:
                    self.commits = self.fragments()
            return self._table

    def fragments(self) -> int:
        """Count the table's fragments: each commit adds one, and each costs every read time."""
        table = self.table
        if table is None:
            return 0
        stats: Any = table.stats()
        return int(stats["fragment_stats"]["num_fragments"])

    def pinned(self, version: int) -> Table:
        """Open another handle, which stays on that version."""
        table = self._database.open(self.name)
        with self.reading():
            if table is None:
                raise StoreError(f"the store {self._database.uri}: its table {self.name} has gone")
            table.checkout(version)
        return table

    def read(self, columns: Sequence[str], where: Expr | None = None) -> pa.Table | None:
        """Read columns of the rows that fulfil `where`; None where the table does not exist.

        Columns that a table of an older version lacks come as nulls.
        """
        table = self.table
        if table is None:
            return None
        with self.reading():
            lacking = ADDED.intersection(columns).difference(table.schema.names)
            there = [name for name in columns if name not in lacking]
            query = table.search().select(there).limit(None)
            found = (query if where is None else query.where(where)).to_arrow()
        for name in sorted(lacking):
            found = found.append_column(name, pa.nulls(len(found)))
        return found

    def read_keys(self, keys: Sequence[str], columns: Sequence[str]) -> pa.Table | None:
        """Read columns of the rows of these keys; keys that are not there are left out."""
        parts = [self.read(columns, where) for where in self._filters(keys)]
        found = [part for part in parts if part is not None]
        return pa.concat_tables(found) if found else None

    def upsert(self, rows: pa.Table) -> None:
        """Insert or replace rows in one commit.

        Args:
            rows: each key once, since LanceDB would insert a new one twice.
        """
        with self._writing():
            table = self.table
            if table is None:
                table = self._table = self._database.create(self.name, rows.schema)
            merge = table.merge_insert(self._key).use_index(len(rows) <= KEYS_LOOKED_UP)
            merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def delete(self, keys: Sequence[str]) -> int:
        """Remove the rows of these keys, and count them."""

        def delete(table: Any, where: Expr) -> int:
            return int(table.delete(where).num_deleted_rows)

        return self._change(keys, delete)

    def update(self, keys: Sequence[str], values: Mapping[str, Any]) -> int:
        """Set columns of the rows of these keys, and count them."""

        def update(table: Table, where: Expr) -> int:
            return table.update(where, dict(values)).rows_updated

        return self._change(keys, update)

    def close(self) -> None:
        """Release LanceDB's handle; the next use opens another."""
        with self._lock:
            self._table = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise the errors of a read as `StoreError`."""
        with translated(f"the store {self._database.uri} cannot be read"):
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._database.require_writer()
        with self._lock, translated(f"the store {self._database.uri} cannot be written"):
            yield
            self.commits += 1

    def _change(self, keys: Sequence[str], change: Callable[[Table, Expr], int]) -> int:
        changed = 0
        for where in self._filters(keys):
            with self._writing():
                table = self.table
                changed += 0 if table is None else change(table, where)
        return changed

    def _filters(self, keys: Sequence[str]) -> Iterator[Expr]:
        for start in range(0, len(keys), KEYS_PER_FILTER):
            yield col(self._key).isin([check_key(k) for k in keys[start : start + KEYS_PER_FILTER]])
