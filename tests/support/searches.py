"""A store to search in."""

from __future__ import annotations

from pathlib import Path

from store.retrieval.hits import Hit
from store.table.store import Store
from tests.support.rows import coherent

COUNT = 60


def fill(folder: Path) -> Store:
    """Rows `x/00` to `x/59`; every third has no speech."""
    store = Store.open(str(folder / "store"), writer=True)
    store.upsert(coherent(f"x/{i:02}", i, windows=2 * bool(i % 3)) for i in range(COUNT))
    return store


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]
