"""The rows that a search begins with: the nearest to a vector, or with the best score for words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.retrieval.filter import Filter
from store.table import index
from store.table.lance import Expr, col, lit
from store.table.snapshot import Snapshot

MOST_EQUALS = 2_000
"""Among more videos that are exactly as near, which of them are found is chance."""

_SPOKEN = col("speech_status") == lit("speech")
_SAID = "speech_vectors"  # of each stretch of speech; none where nobody speaks


@dataclass(frozen=True, eq=False)
class VectorQuery:
    """What rows are to be near to.

    Args:
        vector: float32 `[2d]`.
        speech_alone: it has no picture, and only rows with words are looked for.
    """

    vector: np.ndarray
    speech_alone: bool = False


def nearest(
    snapshot: Snapshot,
    probes: Sequence[VectorQuery],
    only: Filter,
    recipes: Sequence[Expr],
    k: int,
    *,
    columns: Sequence[str],
) -> list[pa.Table]:
    """For each probe the `k` rows of the largest dot product with it, and those as near as the
    last, with their `_rowid`. In a large table they are among some more, which the index took for
    the nearest.

    Args:
        only: which rows.
        recipes: what else they have to fulfil.
        columns: of each row. Each costs as much as a tenth of the search; what only those need
            that are shown is better read later.
    """
    k = max(k, index.candidates(snapshot.rows))
    is_exact = not index.is_used(snapshot.rows)
    if any(probe.speech_alone for probe in probes):
        columns = list(dict.fromkeys([*columns, _SAID]))

    def search(vectors: np.ndarray, where: str, limit: int) -> pa.Table:
        query: Any = snapshot.table.search(vectors, vector_column_name="embedding")
        query = index.tuned(query, snapshot, where).distance_type("dot").with_row_id(True)
        return query.select([*columns, "_distance"]).limit(limit).to_arrow()

    wherever, where_spoken = only.where(*recipes), only.where(*recipes, _SPOKEN)
    together: list[pa.Table] = []
    if len(probes) > 1 and not is_exact:  # at once they share the cores better
        with snapshot.videos.reading():
            found = search(np.stack([probe.vector for probe in probes]), wherever, k + 1)
        numbers, found = found.column("query_index"), found.drop_columns("query_index")
        together = [found.filter(pc.equal(numbers, i)) for i in range(len(probes))]

    def find(number: int, limit: int) -> pa.Table:
        probe = probes[number]
        # Rows without words have a dot product of zero. In a large table, where a filter takes up
        # to two fifths of the time, it is applied only if one of them is found.
        if not (probe.speech_alone and is_exact):
            is_there = together and limit == k + 1
            found = together[number] if is_there else search(probe.vector, wherever, limit)
            if not probe.speech_alone or _all_speak(found):
                return found
        return search(probe.vector, where_spoken, limit)

    return [with_equals(snapshot, partial(find, i), "_distance", k) for i in range(len(probes))]


def _all_speak(found: pa.Table) -> bool:
    return bool(pc.all(pc.greater(pc.list_value_length(found.column(_SAID)), 0)).as_py())


def with_equals(
    snapshot: Snapshot, find: Callable[[int], pa.Table], number: str, k: int
) -> pa.Table:
    """The first `k` rows and those that are equal to the last of them, best first.

    Copies of a video are equally near. As long as one of them may not have been returned, which of
    them are among the best is chance.

    Args:
        find: the first so many rows, best first.
        number: the column that they are ordered by.
    """
    limit = k + 1
    while True:
        with snapshot.videos.reading():
            found = find(limit)
        numbers = found.column(number).to_pylist()
        if len(found) < limit or numbers[k - 1] != numbers[-1] or limit > k + MOST_EQUALS:
            return found
        limit *= 2
