"""Steps that bring the tables of an earlier version of the program up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from store.errors import StoreError
from store.schema import READABLE_VERSIONS, SCHEMA_VERSION
from store.table import index
from store.table.arrow import (
    TRANSLATION,
    VERSION_KEY,
    WORDS,
    dimension_of,
    moment_fields,
    version_of,
    words_of,
)
from store.table.lance import Database, Table

_BATCH_ROWS = 4_096

_log = logging.getLogger(__name__)


def bring_up_to_date(database: Database, name: str, table: Table) -> None:
    """Take a writer's table to this version of the program, step by step, and check any other.

    Args:
        database: the database that it is in.
        name: the table's name.
        table: as it was opened.

    Raises:
        StoreError: it is of a version that this program cannot read.
    """
    version = version_of(table.schema)
    while database.writer and version is not None and version in MIGRATIONS:
        MIGRATIONS[version](name, table)
        version += 1
        metadata = {VERSION_KEY.decode(): str(version)}
        table.update_field_metadata({"path": table.schema.field(0).name, "metadata": metadata})
    if version in READABLE_VERSIONS:
        return
    written = "no version" if version is None else f"version {version}"
    advice = (
        "run `scan` once, which brings it up to date"
        if version in MIGRATIONS
        else "use the program that wrote it, or set another store.uri"
    )
    raise StoreError(
        f"the store {database.uri}: its table {name} has {written} and this program needs "
        f"version {SCHEMA_VERSION}; {advice}"
    )


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
    schema = table.schema
    place = schema.get_field_index(WORDS)
    found: Any = table.search().where(f"{WORDS} IS NULL").select(schema.names).limit(None)
    for batch in found.to_batches(batch_size=_BATCH_ROWS):
        words = words_of(batch.column("transcript").to_pylist())
        rows = pa.Table.from_batches([batch.set_column(place, schema.field(place), words)], schema)
        merge = table.merge_insert("path").use_index(use_index=False)
        # Whole rows, as any write: LanceDB takes 30 times as long and 4 GB to update them only.
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)
    for each in table.list_indices():
        if each.columns == ["transcript"]:
            table.drop_index(each.name)
    index.prepare(table)


def add_moments(name: str, table: Table) -> None:
    """Add the empty columns of moments, which writes no row; the next scan fills them.

    Args:
        name: the table's name.
        table: a table of version 2.
    """
    if name == "videos":
        _add(table, moment_fields(dimension_of(table.schema)))


def add_translation(name: str, table: Table) -> None:
    """Add the empty column of translations, which writes no row.

    Args:
        name: the table's name.
        table: a table of version 3.
    """
    if name == "videos":
        _add(table, [TRANSLATION])


def _add(table: Table, fields: Sequence[pa.Field]) -> None:
    """Add the columns that are not there yet: a step that was cut short may have."""
    there = table.schema.names
    if missing := [field for field in fields if field.name not in there]:
        table.add_columns(missing)


MIGRATIONS: dict[int, Callable[[str, Table], None]] = {
    1: add_words,
    2: add_moments,
    3: add_translation,
}
"""Steps by the version that they start from. Each takes a table's name and the table, and brings it
to the next version."""
