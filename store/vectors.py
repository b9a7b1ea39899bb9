"""The rows of one recipe as arrays, in path order: what the export writes, and what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa

from store.arrow import matrix, video_schema
from store.lance import KEYS_PER_FILTER, Expr, col, lit
from store.schema import RecipeTexts
from store.snapshot import Snapshot
from store.table import Store

_BLOCK_ROWS = 4096
RECIPE_COLUMNS = ("visual_recipe", "transcript_recipe", "speech_recipe")


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The embeddings of rows, which are read block by block whenever they are gone through: in
    memory those of a million are 4 GB.

    Args:
        snapshot: where they are; None where there were no videos yet.
        row_ids: uint64 `[n]`, in the order wanted. Reading is quickest where they ascend.
        width: of an embedding.
    """

    snapshot: Snapshot | None
    row_ids: np.ndarray
    width: int

    @classmethod
    def of(cls, snapshot: Snapshot | None, rows: pa.Table, dimension: int = 0) -> Embeddings:
        """Those of rows that `read_rows` found. `dimension`: the width where there is no table."""
        width = dimension if snapshot is None else 2 * snapshot.dimension
        return cls(snapshot, rows.column("_rowid").to_numpy(), width)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.row_ids), self.width

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.row_ids)

    def __iter__(self) -> Iterator[np.ndarray]:
        """float32 `[b, width]`, block after block; the next one is read meanwhile.

        Raises:
            StoreError: the store cannot be read.
        """
        parts = (self.row_ids[at : at + _BLOCK_ROWS] for at in range(0, len(self), _BLOCK_ROWS))
        with ThreadPoolExecutor(1) as pool:
            reads = (pool.submit(self._read, part) for part in parts)
            block = next(reads, None)
            while block is not None:
                following = next(reads, None)
                yield block.result()
                block = following

    def whole(self) -> np.ndarray:
        """float32 `[n, width]`: all of them, in memory.

        Raises:
            StoreError: the store cannot be read.
        """
        embeddings, at = np.empty(self.shape, np.float32), 0
        for block in self:
            embeddings[at : at + len(block)] = block
            at += len(block)
        return embeddings

    def _read(self, row_ids: np.ndarray) -> np.ndarray:
        assert self.snapshot is not None
        found, places = self.snapshot.take(row_ids, ["embedding"])
        vectors: np.ndarray = matrix(found.column("embedding"), self.width)[places]
        return vectors


@dataclass(frozen=True, eq=False)
class Vectors:
    """Args:
    rows: path, label, content_hash, and what else was asked for.
    embeddings: float32 `[n, 2d]`, one of each row: `[visual | speech]`.
    snapshot: where they were read.
    """

    rows: pa.Table
    embeddings: np.ndarray
    snapshot: Snapshot | None = None

    def __post_init__(self) -> None:
        if self.embeddings.dtype != np.float32 or len(self.embeddings) != len(self.rows):
            raise ValueError(f"{len(self.rows)} rows, {self.embeddings.shape} embeddings")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def paths(self) -> list[str]:
        return self.column("path")

    @cached_property
    def labels(self) -> list[str | None]:
        return self.column("label")

    @cached_property
    def hashes(self) -> list[str]:
        return self.column("content_hash")

    @property
    def visual(self) -> np.ndarray:
        """float32 `[n, d]`, each of unit length."""
        return self.embeddings[:, : self.embeddings.shape[1] // 2]

    @property
    def speech(self) -> np.ndarray:
        """float32 `[n, d]`, each of unit length, or zeros where nobody speaks."""
        return self.embeddings[:, self.embeddings.shape[1] // 2 :]

    def thumbnails(self, rows: Iterable[int]) -> dict[int, bytes]:
        """The JPEG of each of these rows; they are read now, since all of them are 6 KB a row."""
        row_of = {self.paths[row]: row for row in rows}
        paths = list(row_of)
        found: dict[int, bytes] = {}
        for start in range(0, len(paths) if self.snapshot else 0, KEYS_PER_FILTER):
            assert self.snapshot is not None
            wanted = col("path").isin(paths[start : start + KEYS_PER_FILTER])
            read = self.snapshot.table.search().where(wanted).select(["path", "thumbnail"])
            with self.snapshot.videos.reading():
                listed = read.limit(None).to_list()
            found.update((row_of[each["path"]], each["thumbnail"]) for each in listed)
        return found

    def column(self, name: str) -> list[Any]:
        """One of the columns that were read."""
        return list(self.rows.column(name).to_pylist())


def read_vectors(store: Store, recipe: RecipeTexts, columns: Sequence[str] = ()) -> Vectors:
    """Every row of a recipe whose file is there: 4 KB a row in memory, and the `columns` more.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = store.snapshot()
    rows = read_rows(snapshot, ["content_hash", *columns], of_recipe(recipe))
    embeddings = Embeddings.of(snapshot, rows).whole()
    return Vectors(rows.drop_columns(["_rowid"]), embeddings, snapshot)


def of_recipe(recipe: RecipeTexts, *, offline: bool = False) -> Expr:
    """The filter for rows of a recipe; with `offline` also those whose file is not there."""
    same = [col(name) == lit(text) for name, text in zip(RECIPE_COLUMNS, recipe, strict=True)]
    present = [] if offline else [col("offline") == lit(False)]
    return reduce(and_, [*same, *present])


def read_rows(snapshot: Snapshot | None, columns: Sequence[str], where: Expr) -> pa.Table:
    """Row ids, paths, labels and these columns, in path order.

    Raises:
        StoreError: the store cannot be read.
    """
    names = ["path", "label", *columns]
    if snapshot is None:
        empty = video_schema(1).empty_table().select(names)
        return empty.append_column("_rowid", pa.array([], pa.uint64()))
    with snapshot.videos.reading():
        scan = snapshot.table.search().where(where).select(names).limit(None).with_row_id(True)
        return scan.to_arrow().sort_by("path")
