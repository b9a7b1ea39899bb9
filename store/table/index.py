"""Indexes of the videos' table: which there are, from when on, and how searches use them.

| index | from | because |
| --- | --- | --- |
| full text | the first row | it alone knows words of languages without spaces; adds no time to a commit and 0.1 s to a compaction |
| vectors (IvfRq) | 20,000 rows | exact search takes 150 ms then, and grows with the rows; with it 13 to 16 ms of CPU time at 100,000, and 39 to 46 at a million |
| moments (IvfRq) | 1,000 long videos | 60 of each are compared in 230 ms of a core; with it 30 ms, and 10 of the 10 best are found |
| columns of few values | 20,000 rows | filters read whole columns else: at 100,000 rows 1.4 s in place of 0.5 s for an exact search; all six are made in 0.2 s |
| paths | 300,000 rows | at a million finding a row takes 13 in place of 130 ms, and a commit of 32 rows 23 in place of 78 |

Measured on two cores, d = 512. Rows that are not in an index yet are searched beside it, so that
new ones are found at once.
"""  # noqa: E501

from __future__ import annotations

import math
from typing import Any

from store.table.arrow import WORDS
from store.table.keyed import KeyedTable
from store.table.lance import FTS, Bitmap, BTree, IvfRq, Table
from store.table.snapshot import Snapshot

BITMAPS = ("label", "language", "speech_status", "visual_recipe", "speech_recipe", "offline")
"""Columns of few values that filters compare; an index spares reading a column whole."""

MOMENTS = "moment_vectors"

TOKENS: dict[str, Any] = {
    "base_tokenizer": "icu",
    "max_token_length": None,
    "stem": False,
    "remove_stop_words": False,
}
"""Settings of the tokenizer. ICU finds the words of every language, also where no spaces are
between them; stems and stop words are one language's each. The column has them in normal form."""

ROWS_TO_INDEX = 20_000
"""Rows from which on vectors have an index; fewer are searched exactly."""

ROWS_TO_INDEX_PATHS = 300_000
"""Rows from which on paths have an index; fewer are read as quickly as one is looked up."""

LONG_TO_INDEX = 1_000
"""Long videos from which on their moments have an index; those of fewer are compared one by one."""

MOST_SEGMENTS = 8
"""Segments of the index of vectors at which it is rebuilt. Each compaction adds one, which every
search reads: 9 make a search take half as long again."""

BITS = 2
"""Bits that the index keeps of a number. It finds as many of the 10 nearest among 100 candidates as
with one bit among 250, and each candidate is a read; 270 MB for a million rows."""

CANDIDATES_PER_ROOT = 4.75
"""Rows that are compared exactly after the index has found them, over the fourth root of the
table's rows: 57 of 20,000, 85 of 100,000, 151 of a million. Among them are 96 to 98 of the 100 that
should be found by their best moment; each costs a read."""

REFINED = 2
"""Times as many moments as are wanted that are compared exactly after the index has found them:
without, it finds 0.987 of the 10 best, and with it all."""

FEW_ROWS = 250
"""Rows behind a narrow filter that are compared exactly in the time that the index takes."""


def prepare(table: Table) -> None:
    """Make the index that a new table has from the start."""
    table.create_index(WORDS, config=FTS(with_position=True, **TOKENS))


def keep_up(keyed: KeyedTable) -> None:
    """Make the indexes that pay by now, and rebuild the one that has become slow.

    LanceDB's `optimize`, which comes after, adds the rows that were written since.
    """
    table = keyed.table
    if table is None:
        return
    there = {index.columns[0]: index for index in table.list_indices()}
    if WORDS not in there:
        prepare(table)
    rows = table.count_rows()
    if rows >= ROWS_TO_INDEX_PATHS and "path" not in there:
        table.create_index("path", config=BTree())
    if _is_slow(there.get(MOMENTS)) and _long_videos(table) >= LONG_TO_INDEX:
        table.create_index(MOMENTS, config=IvfRq(distance_type="cosine", num_bits=BITS))
    if rows < ROWS_TO_INDEX:
        return
    for name in BITMAPS:
        if name not in there:
            table.create_index(name, config=Bitmap())
    if _is_slow(there.get("embedding")):
        table.create_index("embedding", config=IvfRq(distance_type="dot", num_bits=BITS))


def _long_videos(table: Table) -> int:
    """Count the videos that have moments; the recipe of short ones says that none are made."""
    return (
        table.count_rows("array_length(moment_times) > 0") if MOMENTS in table.schema.names else 0
    )


def _is_slow(index: Any) -> bool:
    """Tell whether an index is missing, in too many segments, or of half the table or less."""
    return (
        index is None
        or index.num_segments >= MOST_SEGMENTS
        or index.num_unindexed_rows > index.num_indexed_rows
    )


def is_used(rows: int) -> bool:
    """Tell whether a table of that size is searched by index, and so not exactly."""
    return rows >= ROWS_TO_INDEX


def candidates(rows: int) -> int:
    """Give how many of the nearest rows to ask an index for, which knows them roughly.

    Args:
        rows: rows of the table.

    Returns:
        0 for a table without an index, where as many as are wanted are enough.
    """
    return math.ceil(CANDIDATES_PER_ROOT * rows**0.25) if is_used(rows) else 0


def tuned(search: Any, snapshot: Snapshot, where: str) -> Any:
    """Tune a vector search with a filter: in the whole of the index, or exact where there is none.

    Partitions are near in both halves together, and the neighbours in one half are in all of them:
    half of the partitions miss a tenth of those, and save a third of the time. A filter that leaves
    nothing out is left out itself: counting takes 1 ms among a million rows, looking each row of
    the index up 27.

    Args:
        search: LanceDB's query, without a limit yet.
        snapshot: what is searched.
        where: the filter.
    """
    if not is_used(snapshot.rows):
        return search.where(where)
    wanted = snapshot.count(where)
    if wanted < snapshot.rows:
        search = search.where(where)
    if wanted <= FEW_ROWS:
        return search.bypass_vector_index()
    return search.minimum_nprobes(snapshot.rows).maximum_nprobes(0)  # zero: no bound


def tuned_for_moments(search: Any, snapshot: Snapshot, where: str) -> Any:
    """Tune a search for moments with a filter: in the whole of their index, where there is one.

    Args:
        search: LanceDB's query, without a limit yet.
        snapshot: what is searched.
        where: the filter.
    """
    # Of several vectors a row LanceDB compares by cosine only; all are of unit length.
    search = search.distance_type("cosine").where(where)
    if snapshot.count(where) <= FEW_ROWS:
        return search.bypass_vector_index()
    search = search.minimum_nprobes(snapshot.rows).maximum_nprobes(0)  # zero: no bound
    return search.refine_factor(REFINED)
