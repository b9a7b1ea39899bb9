"""Indexes of the videos' table: which there are, from when on, and how searches use them.

| index | from | because |
| --- | --- | --- |
| full text | the first row | it alone knows words of languages without spaces; adds no time to a commit and 0.1 s to a compaction |
| vectors (IvfRq) | 20,000 rows | exact search takes 150 ms then, and grows with the rows; with it 20 to 50 ms at 100,000 |
| columns of few values | 20,000 rows | filters read whole columns else: at 100,000 rows 1.4 s in place of 0.5 s for an exact search; all six are made in 0.2 s |

Measured on two cores, d = 512. Rows that are not in an index yet are searched beside it, so that
new ones are found at once. A path needs no index: 100,000 are read in 0.1 s.
"""  # noqa: E501

from __future__ import annotations

import math
from typing import Any

from store.lance import FTS, Bitmap, IvfRq, KeyedTable, Table
from store.only import BITMAPS
from store.words import TOKENS

ROWS_TO_INDEX = 20_000
"""Exact search below."""

MOST_SEGMENTS = 8
"""Each compaction adds a segment to the index of vectors, which every search reads: 9 make one
take half as long again. Then it is made anew."""

ROWS_PER_PROBE = 6_000
FEWEST_PROBES = 20
"""How many partitions are searched: 150 for a million rows, which half of a vector needs."""

CANDIDATES = 250
CANDIDATES_OF_FEW = 500
"""How many are compared exactly after the index has found them, and how many behind a filter. The
index keeps a bit a number; each candidate is a read, and 500 take twice the time of 250."""

FEW_ROWS = 2_000
"""That many of a narrow filter are compared exactly in as much time."""


def prepare(keyed: KeyedTable) -> None:
    """Make what a new table has from the start."""
    table = keyed.table
    if table is not None:
        table.create_index("transcript", config=FTS(with_position=True, **TOKENS))


def keep_up(keyed: KeyedTable) -> None:
    """Make the indexes that pay by now, and anew the one that has become slow.

    What has been added since is for LanceDB's `optimize`, which comes after.
    """
    table = keyed.table
    if table is None:
        return
    there = {index.columns[0]: index for index in table.list_indices()}
    if "transcript" not in there:
        prepare(keyed)
    if table.count_rows() < ROWS_TO_INDEX:
        return
    for name in BITMAPS:
        if name not in there:
            table.create_index(name, config=Bitmap())
    if _is_slow(there.get("embedding")):
        table.create_index("embedding", config=IvfRq(distance_type="dot"))


def _is_slow(index: Any) -> bool:
    """Whether it is not there, in too many pieces, or was made when the table was half as large."""
    return (
        index is None
        or index.num_segments >= MOST_SEGMENTS
        or index.num_unindexed_rows > index.num_indexed_rows
    )


def tuned(search: Any, table: Table, where: str, limit: int, *, narrow: bool) -> Any:
    """A vector search that compares enough to find the nearest. In a table without an index it is
    exact, and this changes nothing.

    Args:
        search: LanceDB's query, without a limit yet.
        where: the filter that it will have.
        limit: how many it will look for.
        narrow: whether the filter leaves out rows that are as usual.
    """
    rows = table.count_rows()
    if rows < ROWS_TO_INDEX:
        return search
    if narrow and table.count_rows(where) <= FEW_ROWS:
        return search.bypass_vector_index()
    probes = max(FEWEST_PROBES, math.ceil(rows / ROWS_PER_PROBE))
    # Zero: as many more as it takes to find enough rows that a filter lets through.
    search = search.minimum_nprobes(probes).maximum_nprobes(0)
    return search.refine_factor(math.ceil((CANDIDATES_OF_FEW if narrow else CANDIDATES) / limit))
