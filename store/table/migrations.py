"""Steps that bring the tables of an earlier version of the program up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pyarrow as pa

from store.table import index
from store.table.arrow import WORDS, words_of
from store.table.lance import Table

_BATCH_ROWS = 5_000

_log = logging.getLogger(__name__)


def add_words(name: str, table: Table) -> None:
    """Add the column of words in normal form, and index it in place of the transcripts.

    A step that was cut short goes on where it was.

    Args:
        name: the table's name.
        table: a table of version 1.
    """
    if name != "videos":
        return
    _log.warning("the store is brought up to date once: words get a new index")
    if WORDS not in table.schema.names:
        table.add_columns(pa.field(WORDS, pa.string()))
    found = table.search().where(f"{WORDS} IS NULL").select(["path", "transcript"]).limit(None)
    path = table.schema.field("path")
    for batch in found.to_arrow().to_batches(max_chunksize=_BATCH_ROWS):
        rows = pa.table(
            [batch.column("path"), words_of(batch.column("transcript").to_pylist())],
            pa.schema([path, pa.field(WORDS, pa.string())]),
        )
        table.merge_insert("path").when_matched_update_all().execute(rows)
    for each in table.list_indices():
        if each.columns == ["transcript"]:
            table.drop_index(each.name)
    index.prepare(table)


MIGRATIONS: dict[int, Callable[[str, Table], None]] = {1: add_words}
"""Steps by the version that they start from. Each takes a table's name and the table, and brings it
to the next version."""
