"""Rows that a search begins with: those nearest to a vector, or those that say some words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.retrieval.filter import Filter
from store.retrieval.moments import MultiVectors
from store.schema import LONG_SECONDS
from store.table import index
from store.table.arrow import matrix
from store.table.lance import Expr, col, lit
from store.table.snapshot import Snapshot

Half = Literal["picture", "speech"]

ROW = ["path", "label", "transcript"]
"""Columns that are shown of each hit."""

VECTORS: dict[Half, tuple[str, ...]] = {
    "picture": ("frame_vectors", "moment_vectors"),
    "speech": ("speech_vectors",),
}
MOMENTS: dict[Half, tuple[str, ...]] = {
    "picture": ("frame_times", "moment_times"),
    "speech": ("speech_windows",),
}

MOST_EQUALS = 2_000
"""Chance decides which are found among more videos that are exactly as near."""

_SPOKEN = col("speech_status") == lit("speech")
_LONG = col("duration_seconds") > lit(LONG_SECONDS)


@dataclass(frozen=True, eq=False)
class VectorQuery:
    """A vector that rows are to be near to.

    Args:
        vector: float32 `[2d]`.
        speech_alone: whether its picture half is empty, so that only rows with speech are sought.
    """

    vector: np.ndarray
    speech_alone: bool = False

    @classmethod
    def of(cls, vector: np.ndarray, half: Half) -> VectorQuery:
        """Compare a vector, float32 `[d]`, with one half alone."""
        zeros = np.zeros_like(vector)
        is_speech = half == "speech"
        return cls(np.concatenate([zeros, vector] if is_speech else [vector, zeros]), is_speech)


class Nearest:
    """Finds the rows of the largest dot product with vectors, each with its `_rowid`.

    One of three strategies suits the table and the queries:

    - exact, in a table without an index: every row is compared;
    - indexed: the index proposes rows, and LanceDB compares those exactly;
    - batched: several queries go through the index together, which shares the cores better.

    Args:
        snapshot: the table that is searched.
        only: which rows may be found.
        recipes: further conditions on them.
        k: how many rows to find at least; in an indexed table some more are taken.
        columns: of each row. Each costs as much as a tenth of the search; what only the rows
            need that are shown is better read later.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        only: Filter,
        recipes: Sequence[Expr],
        k: int,
        columns: Sequence[str],
    ) -> None:
        self._snapshot = snapshot
        self._k = max(k, index.candidates(snapshot.rows))
        self._columns = [name for name in columns if name in snapshot.columns]
        self._all, self._spoken = only.where(*recipes), only.where(*recipes, _SPOKEN)
        self._long = only.where(*recipes, _LONG)

    def find(self, queries: Sequence[VectorQuery]) -> list[pa.Table]:
        """Find for each query the nearest rows, and all that are as near as the last of them."""
        is_indexed = index.is_used(self._snapshot.rows)
        search = self._indexed if is_indexed else self._exact
        if is_indexed and len(queries) > 1:
            firsts = self._batched(queries, self._k + 1)
        else:
            firsts = [search(query, self._k + 1) for query in queries]
        return [
            with_equals(partial(search, query), "_distance", self._k, first)
            for query, first in zip(queries, firsts, strict=True)
        ]

    def find_moments(self, vector: np.ndarray) -> list[pa.Table]:
        """Find the long videos with the frames nearest to a vector, float32 `[d]`.

        Returns:
            One table, or none where there are no such videos.
        """
        if index.MOMENTS not in self._snapshot.columns or not self._snapshot.count(self._long):
            return []
        return [with_equals(partial(self._search_moments, vector), "_distance", self._k)]

    def _search_moments(self, vector: np.ndarray, limit: int) -> pa.Table:
        with self._snapshot.videos.reading():
            search: Any = self._snapshot.table.search(vector, vector_column_name=index.MOMENTS)
            search = index.tuned_for_moments(search, self._snapshot, self._long)
            search = search.with_row_id(with_row_id=True).select([*self._columns, "_distance"])
            return search.limit(limit).to_arrow()

    def _exact(self, query: VectorQuery, limit: int) -> pa.Table:
        # A silent row is no match, and its dot product of zero beats those below.
        return self._search(query, self._spoken if query.speech_alone else self._all, limit)

    def _indexed(self, query: VectorQuery, limit: int) -> pa.Table:
        return self._without_silent(query, self._search(query, self._all, limit), limit)

    def _batched(self, queries: Sequence[VectorQuery], limit: int) -> list[pa.Table]:
        together = VectorQuery(
            np.stack([query.vector for query in queries]),
            any(query.speech_alone for query in queries),
        )
        found = self._search(together, self._all, limit)
        numbers, found = found.column("query_index"), found.drop_columns("query_index")
        parts = [found.filter(pc.equal(numbers, i)) for i in range(len(queries))]
        return [
            self._without_silent(query, part, limit)
            for query, part in zip(queries, parts, strict=True)
        ]

    def _without_silent(self, query: VectorQuery, found: pa.Table, limit: int) -> pa.Table:
        """Search once more, for rows with speech, where others were found and are not wanted.

        In a large table the filter takes up to two fifths of the time, so that a search without it
        is tried first.
        """
        if not query.speech_alone or _all_speak(found):
            return found
        return self._search(query, self._spoken, limit)

    def _search(self, query: VectorQuery, where: str, limit: int) -> pa.Table:
        columns = [*self._columns, *(VECTORS["speech"] if query.speech_alone else [])]
        with self._snapshot.videos.reading():
            search: Any = self._snapshot.table.search(query.vector, vector_column_name="embedding")
            search = index.tuned(search, self._snapshot, where).distance_type("dot")
            search = search.with_row_id(with_row_id=True).select(
                [*dict.fromkeys(columns), "_distance"]
            )
            return search.limit(limit).to_arrow()


def _all_speak(found: pa.Table) -> bool:
    lengths = pc.list_value_length(found.column("speech_vectors"))
    return bool(pc.all(pc.greater(lengths, 0)).as_py())


def with_equals(
    find: Callable[[int], pa.Table], column: str, k: int, first: pa.Table | None = None
) -> pa.Table:
    """Find the first `k` rows and those that are equal to the last of them, best first.

    Copies of a video are equally near. While one of them may be missing, chance decides which of
    them are among the best.

    Args:
        find: finds at most as many rows as it is given, best first.
        column: what they are ordered by.
        k: how many rows are wanted.
        first: what `find` gives for `k + 1`, where that is known.
    """
    limit = k + 1
    found = find(limit) if first is None else first
    while True:
        numbers = found.column(column).to_pylist()
        if len(found) < limit or numbers[k - 1] != numbers[-1] or limit > k + MOST_EQUALS:
            return found
        limit *= 2
        found = find(limit)


def pieces_of(rows: pa.Table, half: Half, dimension: int) -> MultiVectors:
    """Read the vectors of the frames, or of the stretches of speech, of some rows."""
    there = [rows.column(name) for name in VECTORS[half] if name in rows.column_names]
    return MultiVectors.joined(there, dimension)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows that may be among the best.

    Args:
        rows: as `Nearest` finds them, each once, with the columns that they are scored by.
        snapshot: the table that they are in.
    """

    rows: pa.Table
    snapshot: Snapshot

    @classmethod
    def of(cls, tables: Sequence[pa.Table], snapshot: Snapshot) -> Candidates:
        """Join the rows of tables, each row once."""
        rows = pa.concat_tables(tables)
        _, places = np.unique(rows.column("_rowid").to_numpy(), return_index=True)
        return cls(rows if len(places) == len(rows) else rows.take(places), snapshot)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """float32 `[n, 2d]`."""
        return matrix(self.rows.column("embedding"), 2 * self.snapshot.dimension)

    def halves(self, half: Half) -> np.ndarray:
        """float32 `[n, d]`: one half of each embedding."""
        d = self.snapshot.dimension
        return self.embeddings[:, :d] if half == "picture" else self.embeddings[:, d:]

    def best(self, half: Half, vector: np.ndarray) -> np.ndarray:
        """float32 `[n]`: the dot product of `[d]` with the best frame or stretch of each row."""
        return pieces_of(self.rows, half, self.snapshot.dimension).best(vector)

    def take(self, chosen: np.ndarray, halves: Sequence[Half]) -> pa.Table:
        """Read what is shown of some rows, and what finds their best moments.

        Args:
            chosen: int64 `[m]`, indices of candidates.
            halves: where moments are sought.
        """
        columns = [
            name
            for name in (*ROW, *(n for h in halves for n in (*VECTORS[h], *MOMENTS[h])))
            if name in self.snapshot.columns
        ]
        here = [name for name in columns if name in self.rows.column_names]
        row_ids = self.rows.column("_rowid").to_numpy()[chosen]
        found, places = self.snapshot.take(row_ids, [name for name in columns if name not in here])
        found = found.take(places)
        for name in here:
            found = found.append_column(name, self.rows.column(name).take(chosen))
        return found
