"""The rows that a search begins with: the nearest to a query, or with the best score for words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from store import index
from store.lance import Expr, col, lit
from store.only import Only
from store.table import Store

ROW = ["path", "label", "transcript"]

MOST_EQUALS = 2_000
"""Among more videos that are exactly as near, which of them are found is chance."""

_SPOKEN = col("speech_status") == lit("speech")


def nearest(
    store: Store,
    query: np.ndarray,
    only: Only,
    recipes: Sequence[Expr],
    k: int,
    *,
    columns: Sequence[str],
    speech_alone: bool = False,
) -> pa.Table:
    """The `k` rows of the largest dot product with `query`, and those as near as the last, in path
    order, with `_distance`, which is 1 less the dot product, and the columns of `ROW`.

    Args:
        query: float32 `[2d]`.
        only: which rows.
        recipes: what else they have to fulfil.
        columns: what else of each row. Vectors of all pieces take longer to read than the search
            in a table of 100,000 rows.
        speech_alone: the query has no picture, and only rows with words are looked for. The others
            have a dot product of zero: in a large table, where a filter takes a fifth of the time,
            it is applied only if one of them is found.
    """
    table = store.videos.table
    assert table is not None
    rows: int = table.count_rows()
    filters = [only.where(*recipes, _SPOKEN)] if speech_alone else []
    if not speech_alone or index.is_used(rows):
        filters.insert(0, only.where(*recipes))

    def find(limit: int) -> pa.Table:
        for where in filters:
            search: Any = table.search(query, vector_column_name="embedding")
            search = index.tuned(search, table, rows, where, limit).distance_type("dot")
            found = search.select([*ROW, *columns, "_distance"]).limit(limit).to_arrow()
            if (found.column("_distance").to_numpy() < 1).all():
                break
        return found

    return with_equals(store, find, "_distance", k)


def with_equals(store: Store, find: Callable[[int], pa.Table], number: str, k: int) -> pa.Table:
    """The first `k` rows and those that are equal to the last of them, in path order.

    Copies of a video are equally near. As long as one of them may not have been returned, which of
    them are among the best is chance.

    Args:
        find: the first so many rows, best first.
        number: the column that they are ordered by.
    """
    limit = k + 1
    while True:
        with store.videos.reading():
            found = find(limit)
        numbers = found.column(number).to_pylist()
        if len(found) < limit or numbers[k - 1] != numbers[-1] or limit > k + MOST_EQUALS:
            return found.sort_by("path")
        limit *= 2
