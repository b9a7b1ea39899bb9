"""Search with one query, or with several whose rankings are fused."""

from __future__ import annotations

from dataclasses import replace

from store.errors import StoreError
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit, fuse
from store.retrieval.queries import Query, SimilarTo, Words
from store.retrieval.ranking import rank
from store.table.store import Store

FUSED_DEPTH = 100
"""Fewest hits of each ranking that are fused; the 100th adds under half of what a first does."""

EVERYTHING = Filter()


def search(store: Store, *queries: Query, k: int = 10, only: Filter = EVERYTHING) -> list[Hit]:
    """Find the best `k` videos that are not offline, best first, equals in path order.

    Args:
        store: the store that is searched.
        queries: one, or several, whose rankings are fused (see `fuse`).
        k: how many hits at most.
        only: which rows may be found.

    Raises:
        StoreError: the store cannot be read, or holds vectors of another size.
        ValueError: there is no query, or `k` is below 1.
    """
    if not queries or k < 1:
        raise ValueError("a search needs a query, and a k of at least 1")
    snapshot = store.snapshot()
    if snapshot is None or not snapshot.rows:
        return []
    for query in queries:
        _check_size(store, snapshot.dimension, query)
    own = {query.path for query in queries if isinstance(query, SimilarTo)} - {None}
    depth = min(k + len(own), snapshot.rows)  # LanceDB's own numbers end somewhere
    if len(queries) == 1:
        hits = rank(snapshot, queries[0], only, depth)
    else:
        depth = max(depth, FUSED_DEPTH)
        hits = fuse([rank(snapshot, query, only, depth) for query in queries])
    return [hit for hit in hits if hit.path not in own][:k]


def similar_to(store: Store, path: str) -> SimilarTo | None:
    """Ask for other videos like the one of this path; None where there is no such row."""
    row = store.rows([path]).get(path)
    return replace(SimilarTo.of(row), path=path) if row is not None else None


def _check_size(store: Store, d: int, query: Query) -> None:
    for vector in () if isinstance(query, Words) else query.vectors:
        if len(vector) != d:
            raise StoreError(
                f"the query's vectors have {len(vector)} numbers and those in the store {store.uri}"
                f" have {d}: another CLIP model made them; set clip.model back, or another "
                "store.uri"
            )
