"""The store: what is known of a collection, in LanceDB tables that are safe to read meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from store import memory
from store.errors import StoreError
from store.schema import RECIPE_COLUMNS, FailedFile, Known, Recipe, Row, check_key
from store.table import index, upkeep
from store.table.arrow import (
    FAILURE_SCHEMA,
    MEMORY_SCHEMA,
    VIDEO_COLUMNS,
    dimension_of,
    failures_from_arrow,
    failures_to_arrow,
    rows_from_arrow,
    rows_to_arrow,
)
from store.table.facts import Facts, count_facts
from store.table.keyed import KeyedTable
from store.table.lance import Database, col, lit, translated
from store.table.lease import Lease
from store.table.lock import WriterLock
from store.table.migrations import bring_up_to_date
from store.table.snapshot import Snapshot

_log = logging.getLogger(__name__)


class Store:
    """Rows by path, failed files and notes.

    One process writes at a time; any number read beside it, also while it compacts. The first write
    makes the tables, and the first rows set the size of the vectors. Every method raises
    `StoreError` where LanceDB or the disk fails, and then the tables are as before.
    """

    def __init__(self, database: Database) -> None:
        self.uri = database.uri
        self.videos = KeyedTable(database, "videos", "path")
        self.upkeep_failures = 0
        self._database = database
        self._failures = KeyedTable(database, "failures", "path")
        self._memory = KeyedTable(database, "memory", "key")
        self._lock: WriterLock | Lease | None = None
        self._snapshot: Snapshot | None = None

    @classmethod
    def open(
        cls, uri: str, *, writer: bool = False, options: Mapping[str, str] | None = None
    ) -> Store:
        """Open a store. One that does not exist reads as empty, and reading makes nothing on disk.

        Args:
            uri: a folder, or any URI that LanceDB opens.
            writer: whether to write it.
            options: of object storage, as LanceDB's `storage_options` has them.

        Raises:
            StoreBusyError: it is to be written, and another process writes it.
            StoreError: it cannot be read, or is of another version.
        """
        database = Database(uri, writer=writer, options=options)
        database.when_opened = partial(bring_up_to_date, database)
        store = cls(database)
        try:
            store._acquire()
            for each in store._tables:
                _ = each.table
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the tables. Nothing is pending: every write was committed when it returned."""
        self._snapshot = None
        for each in self._tables:
            each.close()
        if self._lock is not None:
            self._lock.release()

    def _acquire(self) -> None:
        """Become the one writer: of this machine, or of all where the store is on none."""
        database = self._database
        if not database.writer:
            return
        if database.folder is not None:
            self._lock = WriterLock(database.folder)
            self._lock.acquire()
        else:
            self._lock = lease = Lease(database)
            lease.acquire()
            database.may_write = lease.check

    def snapshot(self) -> Snapshot | None:
        """Give the videos as they are now; None where there is no table yet.

        The object is the same until they change.
        """
        table = self.videos.table
        if table is None:
            return None
        with self.videos.reading():
            version = table.version
        known = self._snapshot
        if known is None or known.version != version:
            known = self._snapshot = Snapshot(self.videos, self.videos.pinned(version))
        return known

    def scratch(self, name: str) -> Path | None:
        """Name a file beside the tables for a writer's own use; None where they are not local."""
        folder = self._database.folder
        return folder / name if folder is not None else None

    @property
    def dimension(self) -> int | None:
        """Numbers in each half of an embedding; None before there was a row."""
        table = self.videos.table
        return dimension_of(table.schema) if table is not None else None

    def known(self, paths: Iterable[str] | None = None) -> dict[str, Known]:
        """Read what a scan has to know of each row, by path; 100,000 rows take under a second.

        Args:
            paths: of the rows; those that are not there are left out. None for all rows.
        """
        names = ["path", *Known._fields]
        if paths is None:
            found = self.videos.read(names)
        else:
            found = self.videos.read_keys(list(paths), names)
        if found is None:
            return {}
        columns = [_values(found.column(name)) for name in Known._fields]
        there = found.column("path").to_pylist()
        return dict(zip(there, map(Known._make, zip(*columns, strict=True)), strict=True))

    def rows(self, paths: Iterable[str]) -> dict[str, Row]:
        """Read the rows of these paths, whole; paths that are not there are left out."""
        found = self.videos.read_keys(list(paths), VIDEO_COLUMNS)
        return {row.path: row for row in rows_from_arrow(found)} if found is not None else {}

    def copies(self, content_hash: str) -> dict[str, Recipe]:
        """Read the recipes of the rows of this content, by path, in path order."""
        found = self.videos.read(
            ["path", *RECIPE_COLUMNS], col("content_hash") == lit(content_hash)
        )
        columns = [] if found is None else [_values(column) for column in found.columns]
        return {path: Recipe(*recipe) for path, *recipe in sorted(zip(*columns, strict=True))}

    def values(self, column: str) -> list[str]:
        """List the values of a text column, each once, that rows have which are not offline."""
        found = self.videos.read([column], col("offline") == lit(value=False))
        return [] if found is None else sorted(set(_values(found.column(column))) - {None})

    def upsert(self, rows: Iterable[Row]) -> None:
        """Insert or replace rows in one commit.

        Args:
            rows: where several have one path, the last one counts.

        Raises:
            StoreError: their vectors have another size than the table's.
        """
        unique = list({row.path: row for row in rows}.values())
        if not unique:
            return
        expected = self.dimension or unique[0].dimension
        for row in unique:
            if row.dimension != expected:
                raise StoreError(
                    f"{row.path}: its vectors have {row.dimension} numbers and those in the store "
                    f"{self.uri} have {expected}: another CLIP model made them; set clip.model "
                    "back, or set another store.uri"
                )
        is_first = self.videos.table is None
        self.videos.upsert(rows_to_arrow(unique))
        if is_first and self.videos.table is not None:
            with translated(f"the store {self.uri} cannot be written"):
                index.prepare(self.videos.table)

    def remove(self, paths: Iterable[str]) -> int:
        """Remove the rows of these paths, and count them."""
        return self.videos.delete(list(paths))

    def set_offline(self, paths: Iterable[str], *, offline: bool) -> int:
        """Mark rows whose file is not there, or is there again, and count them."""
        return self.videos.update(list(paths), {"offline": offline})

    def failures(self) -> list[FailedFile]:
        """Read every failed file, in path order."""
        found = self._failures.read(FAILURE_SCHEMA.names)
        failed = [] if found is None else failures_from_arrow(found)
        return sorted(failed, key=lambda one: one.path)

    def record_failures(self, failed: Sequence[FailedFile]) -> None:
        """Record failed files in one commit. Attempts add up while size and mtime are equal."""
        if not failed:
            return
        found = self._failures.read_keys([one.path for one in failed], FAILURE_SCHEMA.names)
        earlier = {one.path: one for one in failures_from_arrow(found)} if found else {}
        for one in failed:
            before = earlier.get(one.path)
            same = before is not None and before.stamp == one.stamp
            attempts = one.attempts + (before.attempts if before and same else 0)
            earlier[one.path] = replace(one, attempts=attempts)
        self._failures.upsert(failures_to_arrow([earlier[p] for p in {o.path for o in failed}]))

    def forget_failures(self, paths: Iterable[str] | None = None) -> int:
        """Forget failed files, all of them where no paths are given, and count them."""
        if paths is None:
            paths = [one.path for one in self.failures()]
        return self._failures.delete(list(paths))

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text under a key."""
        pair = {"key": [check_key(key)], "value": [value]}
        self._memory.upsert(pa.table(pair, schema=MEMORY_SCHEMA))

    def get_note(self, key: str) -> str | None:
        """Read the text that was kept under that key; None where there is none."""
        found = self._memory.read_keys([key], ["value"])
        return found.column("value")[0].as_py() if found else None

    def facts(self) -> Facts:
        """Count what is in the store."""
        return count_facts(self.videos, self._failures, self._database.folder)

    def upkeep(self, *, force: bool = False, idle: bool = False) -> bool:
        """Compact the tables that are due.

        A failure harms no row, so it does not end a run: it is logged, counted in
        `upkeep_failures`, and tried again after as many commits.

        Args:
            force: whether all tables are due.
            idle: whether the writer has nothing else to do; then tables are due that take little
                time, too.

        Returns:
            Whether any table was due.
        """
        self._database.require_writer()
        due = [each for each in self._tables if force or upkeep.is_due(each, idle=idle)]
        for each in due:
            try:
                with translated(f"the store {self.uri}: upkeep of {each.name} failed"):
                    if each is self.videos:
                        index.keep_up(each)
                    upkeep.compact(each, self._database.folder)
            except StoreError as error:
                self.upkeep_failures += 1
                _log.warning("%s", error)
        if due:
            memory.give_back()
        return bool(due)

    @property
    def _tables(self) -> tuple[KeyedTable, KeyedTable, KeyedTable]:
        return self.videos, self._failures, self._memory


def _values(column: pa.ChunkedArray) -> list[Any]:
    """List a column, equal texts as one object: every row repeats its recipes."""
    if not pa.types.is_string(column.type):
        return list(column.to_pylist())
    encoded = column.combine_chunks().dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    indices = encoded.indices.fill_null(len(texts) - 1)
    return [texts[index] for index in indices.to_pylist()]
