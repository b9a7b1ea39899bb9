"""How a store stands, in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.schema import RECIPE_COLUMNS, Recipe
from store.table import upkeep
from store.table.arrow import video_schema
from store.table.keyed import KeyedTable


@dataclass(frozen=True)
class Facts:
    """Counts of what is in a store.

    Args:
        rows: all rows.
        offline: rows whose file was not there at the last look.
        labels: rows that are not offline, by label; None for the unlabeled ones.
        recipes: rows that are not offline, by recipe.
        failures: failed files.
        bytes_on_disk: bytes of the store's folder; None where it is not a local one.
        fragments: fragments of the videos' table.
        versions: versions of the videos' table that are not cleaned up yet.
    """

    rows: int
    offline: int
    labels: Mapping[str | None, int]
    recipes: Mapping[Recipe, int]
    failures: int
    bytes_on_disk: int | None
    fragments: int
    versions: int


def count_facts(videos: KeyedTable, failures: KeyedTable, folder: Path | None) -> Facts:
    """Count what is in the tables.

    Args:
        videos: the table of the videos.
        failures: the table of the failed files.
        folder: the folder that both are in; None where they are not local.

    Raises:
        StoreError: they cannot be read.
    """
    found = videos.read(["label", *RECIPE_COLUMNS, "offline"])
    if found is None:
        found = video_schema(1).empty_table()
    failed = failures.read(["path"])
    online = found.filter(pc.invert(found.column("offline")))
    table = videos.table
    with videos.reading():
        return Facts(
            rows=len(found),
            offline=len(found) - len(online),
            labels={label: n for (label,), n in _counts(online, ["label"])},
            recipes={Recipe(*made): n for made, n in _counts(online, RECIPE_COLUMNS)},
            failures=0 if failed is None else len(failed),
            bytes_on_disk=upkeep.bytes_on_disk(folder) if folder else None,
            fragments=videos.fragments(),
            versions=0 if table is None else len(table.list_versions()),
        )


def _counts(table: pa.Table, columns: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Count the rows of each combination of values."""
    for group in table.group_by(list(columns)).aggregate([([], "count_all")]).to_pylist():
        yield tuple(group[name] for name in columns), group["count_all"]
