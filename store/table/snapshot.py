"""The videos' table as it was at one version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from store.errors import StoreError
from store.table.arrow import dimension_of, matrix
from store.table.keyed import KeyedTable
from store.table.lance import Table

_COUNTS_KEPT = 64
_BATCH_ROWS = 16_384


class Snapshot:
    """The videos' table at one version, with what it was asked before.

    Each question to a table that may change takes LanceDB 0.3 ms, and a search would ask ten.

    Args:
        videos: the table that it is a version of.
        table: LanceDB's handle, which stays on that version.
    """

    def __init__(self, videos: KeyedTable, table: Table) -> None:
        self.videos = videos
        self.table = table
        with videos.reading():
            self.version = table.version
            self.dimension = dimension_of(table.schema)
            self.columns = frozenset(table.schema.names)
            self.rows: int = table.count_rows()
        self._count = lru_cache(_COUNTS_KEPT)(table.count_rows)

    def count(self, where: str) -> int:
        """Count the rows that fulfil `where`."""
        with self.videos.reading():
            return self._count(where)

    def take(self, row_ids: np.ndarray, columns: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
        """Read columns of some rows, in the table's order.

        Args:
            row_ids: uint64 `[n]`, of this snapshot; each once. Reading is quickest where they
                ascend.
            columns: their names.

        Returns:
            The columns, and where in them each of `row_ids` is, int64 `[n]`.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.videos.reading():
            wanted = self.table.take_row_ids(row_ids.tolist()).select(list(columns))
            found = wanted.with_row_id().to_arrow()
        seen = found.column("_rowid").to_numpy()
        order = np.argsort(seen)
        place = order[np.searchsorted(seen, row_ids, sorter=order).clip(max=len(order) - 1)]
        if not np.array_equal(seen[place], row_ids):
            raise StoreError(f"{len(seen)} of {len(row_ids)} rows could be read; run it again")
        return found.select(list(columns)), place

    def embeddings(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Read the embeddings of all rows, in the table's order, block by block.

        Yields:
            Row ids, uint64 `[b]`, and embeddings, float32 `[b, 2d]`.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.videos.reading():
            scan = (
                self.table.search().select(["embedding"]).limit(None).with_row_id(with_row_id=True)
            )
            for batch in scan.to_batches(batch_size=_BATCH_ROWS):
                vectors = matrix(batch.column("embedding"), 2 * self.dimension)
                yield batch.column("_rowid").to_numpy(), vectors
