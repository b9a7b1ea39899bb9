"""The rows of one recipe as arrays, in path order: what the export writes, and what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa

from store.arrow import dimension_of, matrix, video_schema
from store.errors import StoreError
from store.lance import KEYS_PER_FILTER, Expr, Table, col, lit, translated
from store.memory import give_back, keep_no_large_blocks
from store.schema import RecipeTexts
from store.table import Store

_BATCH_ROWS = 1024
RECIPE_COLUMNS = ("visual_recipe", "transcript_recipe", "speech_recipe")


@dataclass(frozen=True, eq=False)
class Vectors:
    """Args:
    rows: path, label, content_hash, and what else was asked for.
    embeddings: float32 `[n, 2d]`, one of each row: `[visual | speech]`.
    table: where they were read, as it was then.
    """

    rows: pa.Table
    embeddings: np.ndarray
    table: Table | None = None

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
        for start in range(0, len(paths) if self.table else 0, KEYS_PER_FILTER):
            assert self.table is not None
            wanted = col("path").isin(paths[start : start + KEYS_PER_FILTER])
            read = self.table.search().where(wanted).select(["path", "thumbnail"]).limit(None)
            with translated("the store cannot be read"):
                found.update((row_of[e["path"]], e["thumbnail"]) for e in read.to_list())
        return found

    def column(self, name: str) -> list[Any]:
        """One of the columns that were read."""
        return list(self.rows.column(name).to_pylist())


def read_vectors(store: Store, recipe: RecipeTexts, columns: Sequence[str] = ()) -> Vectors:
    """Every row of a recipe whose file is there: 4 KB a row in memory, and the `columns` more.

    Raises:
        StoreError: the store cannot be read.
    """
    table = store.videos.snapshot()
    with store.videos.reading():
        rows = read_rows(table, ["content_hash", *columns], of_recipe(recipe))
        embeddings = read_embeddings(table, rows.column("_rowid").to_numpy(), 0)
    return Vectors(rows.drop_columns(["_rowid"]), embeddings, table)


def of_recipe(recipe: RecipeTexts, *, offline: bool = False) -> Expr:
    """The filter for rows of a recipe; with `offline` also those whose file is not there."""
    same = [col(name) == lit(text) for name, text in zip(RECIPE_COLUMNS, recipe, strict=True)]
    present = [] if offline else [col("offline") == lit(False)]
    return reduce(and_, [*same, *present])


def read_rows(table: Table | None, columns: Sequence[str], where: Expr) -> pa.Table:
    """Row ids, paths, labels and these columns, in path order."""
    names = ["path", "label", *columns]
    if table is None:
        empty = video_schema(1).empty_table().select(names)
        return empty.append_column("_rowid", pa.array([], pa.uint64()))
    scan = table.search().where(where).select(names).limit(None).with_row_id(True)
    return scan.to_arrow().sort_by("path")


def read_embeddings(table: Table | None, row_ids: np.ndarray, dimension: int) -> np.ndarray:
    """float32 `[n, width]`: the embeddings of these rows, in this order.

    One scan, whose batches are scattered to their places: sorting or permuting the whole column
    takes several times the memory (8 GB more for a million rows).

    Args:
        row_ids: uint64 `[n]`.
        dimension: the width where there is no table.
    """
    if table is None:
        return np.empty((0, dimension), np.float32)
    width = 2 * dimension_of(table.schema)
    keep_no_large_blocks()
    give_back()  # what reading the rows took
    embeddings = np.empty((len(row_ids), width), np.float32)
    if not len(row_ids):
        return embeddings
    order = np.argsort(row_ids)
    filled = 0
    scan = table.search().select(["embedding"]).limit(None).with_row_id(True)
    for batch in scan.to_batches(batch_size=_BATCH_ROWS):
        seen = batch.column("_rowid").to_numpy()
        place = order[np.searchsorted(row_ids, seen, sorter=order).clip(max=len(order) - 1)]
        vectors = matrix(batch.column("embedding"), width)
        mine = row_ids[place] == seen
        if not mine.all():  # a copy less, where all are
            place, vectors = place[mine], vectors[mine]
        embeddings[place] = vectors
        filled += len(place)
    if filled != len(row_ids):
        raise StoreError(f"{filled} of {len(row_ids)} vectors could be read; try once more")
    return embeddings
