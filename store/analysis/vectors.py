"""The rows of one recipe as arrays, in path order: to be exported, or compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import blake2b
from operator import and_
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from store.errors import StoreError
from store.schema import RECIPE_COLUMNS, Recipe
from store.table.arrow import matrix, video_schema
from store.table.keyed import KEYS_PER_FILTER
from store.table.lance import Expr, col, lit
from store.table.snapshot import Snapshot
from store.table.store import Store

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one recipe without their embeddings.

    Args:
        rows: path, label, content_hash, and `_rowid` as `read_present` reads it.
        snapshot: the table that they were read from; None where there was none.
    """

    rows: pa.Table
    snapshot: Snapshot | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def row_ids(self) -> np.ndarray:
        """uint64 `[n]`, in the snapshot."""
        ids: np.ndarray = self.rows.column("_rowid").to_numpy()
        return ids

    def digest(self, *also: str) -> str:
        """Return what changes with any row's path, label or content, and with other texts."""
        summed = blake2b("\0".join(also).encode(), digest_size=16)
        for values in (self.paths, self.labels, self.hashes):
            summed.update("\0".join([value or "" for value in values]).encode())
        return summed.hexdigest()

    @cached_property
    def paths(self) -> list[str]:
        return list(self.rows.column("path").to_pylist())

    @cached_property
    def labels(self) -> list[str | None]:
        return list(self.rows.column("label").to_pylist())

    @cached_property
    def hashes(self) -> list[str]:
        return list(self.rows.column("content_hash").to_pylist())


@dataclass(frozen=True, eq=False)
class Vectors:
    """Rows of one recipe and their embeddings.

    Args:
        rows: path, label, content_hash, and further columns that were asked for.
        embeddings: float32 `[n, 2d]`, of each row `[visual | speech]`.
        snapshot: the table that they were read from; None where there was none.
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
        """Read the JPEG of each of these rows; all of them would be 6 KB a row in memory.

        Args:
            rows: indices of rows.

        Raises:
            StoreError: the store cannot be read.
        """
        row_of = {self.paths[row]: row for row in rows}
        return {row_of[path]: jpeg for path, jpeg in read_thumbnails(self.snapshot, row_of).items()}

    def column(self, name: str) -> list[Any]:
        """Give one of the columns that were read as a list."""
        return list(self.rows.column(name).to_pylist())


def read_vectors(store: Store, recipe: Recipe, columns: Sequence[str] = ()) -> Vectors:
    """Read every row of a recipe whose file is there: 4 KB a row in memory, and the columns.

    Args:
        store: the store that is read.
        recipe: what made the rows.
        columns: further columns to read.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = store.snapshot()
    rows = read_rows(snapshot, ["content_hash", *columns], of_recipe(recipe))
    embeddings = np.empty((len(rows), width_of(snapshot)), np.float32)
    for places, block in read_embeddings(snapshot, rows.column("_rowid").to_numpy()):
        embeddings[places] = block
    return Vectors(rows.drop_columns(["_rowid"]), embeddings, snapshot)


def read_thumbnails(snapshot: Snapshot | None, paths: Iterable[str]) -> dict[str, bytes]:
    """Read the JPEGs of some rows by path.

    Args:
        snapshot: the table; None where there is none.
        paths: of rows.

    Raises:
        StoreError: the store cannot be read.
    """
    wanted, found = list(paths), dict[str, bytes]()
    for start in range(0, len(wanted) if snapshot else 0, KEYS_PER_FILTER):
        assert snapshot is not None
        some = col("path").isin(wanted[start : start + KEYS_PER_FILTER])
        read = snapshot.table.search().where(some).select(["path", "thumbnail"])
        with snapshot.videos.reading():
            listed = read.limit(None).to_list()
        found.update((each["path"], each["thumbnail"]) for each in listed)
    return found


def read_present(store: Store, recipe: Recipe) -> Rows:
    """Read the rows of a recipe whose file is there, without embeddings.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = store.snapshot()
    return Rows(read_rows(snapshot, ["content_hash"], of_recipe(recipe)), snapshot)


def read_matrix(snapshot: Snapshot | None, row_ids: np.ndarray, width: int) -> np.ndarray:
    """Read the embeddings of a few rows, uint64 `[n]`, in their order: float32 `[n, width]`.

    Raises:
        StoreError: the store cannot be read.
    """
    if snapshot is None or not len(row_ids):
        return np.empty((0, width), np.float32)
    found, places = snapshot.take(row_ids, ["embedding"])
    vectors: np.ndarray = matrix(found.column("embedding"), width)[places]
    return vectors


def of_recipe(recipe: Recipe, *, offline: bool = False) -> Expr:
    """Make the filter for rows of a recipe.

    Args:
        recipe: what made the rows.
        offline: whether rows whose file is not there count, too.
    """
    same = [col(name) == lit(text) for name, text in zip(RECIPE_COLUMNS, recipe, strict=True)]
    present = [] if offline else [col("offline") == lit(value=False)]
    return reduce(and_, [*same, *present])


def read_rows(
    snapshot: Snapshot | None, columns: Sequence[str], where: Expr | None = None
) -> pa.Table:
    """Read row ids, paths, labels and further columns, in path order.

    Args:
        snapshot: the table; None where there is none yet.
        columns: further columns.
        where: which rows; None for all.

    Raises:
        StoreError: the store cannot be read.
    """
    names = ["path", "label", *columns]
    if snapshot is None:
        empty = video_schema(1).empty_table().select(names)
        return empty.append_column("_rowid", pa.array([], pa.uint64()))
    with snapshot.videos.reading():
        scan = snapshot.table.search().select(names).limit(None).with_row_id(with_row_id=True)
        return (scan if where is None else scan.where(where)).to_arrow().sort_by("path")


def width_of(snapshot: Snapshot | None) -> int:
    """Give the width of an embedding, `[visual | speech]`; 0 where there is no table yet."""
    return 0 if snapshot is None else 2 * snapshot.dimension


def read_embeddings(
    snapshot: Snapshot | None, row_ids: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read the embeddings of rows block by block, the next block while one is used.

    Those of a million rows are 4 GB. They come as they lie in the table, in one pass over it: row
    by row takes LanceDB 3.5 times the CPU, and where the table is larger than memory a disk reads
    far more than that.

    Args:
        snapshot: the table; None where there is none yet.
        row_ids: uint64 `[n]`, each once.

    Yields:
        Indices into `row_ids`, int64 `[b]`, ascending; and the embeddings of those rows, float32
        `[b, width]`.

    Raises:
        StoreError: the store cannot be read.
    """
    if snapshot is not None and len(row_ids):
        yield from _ahead(_placed(snapshot, row_ids))


def _placed(snapshot: Snapshot, row_ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    order = np.argsort(row_ids)
    ascending, found = row_ids[order], 0
    for seen, block in snapshot.embeddings():
        at = np.searchsorted(ascending, seen).clip(max=len(row_ids) - 1)
        wanted = np.flatnonzero(ascending[at] == seen)
        places = order[at[wanted]]
        by_place = np.argsort(places)
        found += len(places)
        yield places[by_place], block[wanted[by_place]]
    if found != len(row_ids):
        raise StoreError(f"{found} of {len(row_ids)} rows could be read; run it again")


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield the same items, each made while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
