"""Search: one wish, or several whose rankings are fused.

store = Store.open("data/store")
hits = search(store, Says('dough "let it rest"'), only=Only(label="cooking"), k=3)
as_arrow(hits)
"""

from __future__ import annotations

from store.errors import StoreError
from store.search.filter import Only
from store.search.hits import Hit, Why, as_arrow, as_dicts, fuse, nothing_matches
from store.search.queries import Like, Means, Says, Wish
from store.search.ranking import rank
from store.table.store import Store

__all__ = [
    "Hit",
    "Like",
    "Means",
    "Only",
    "Says",
    "Why",
    "Wish",
    "as_arrow",
    "as_dicts",
    "like",
    "nothing_matches",
    "search",
]

FUSED_DEPTH = 100
"""How many of each ranking are fused at least; the 100th adds under half of what a first does."""

EVERYTHING = Only()


def search(store: Store, *wishes: Wish, k: int = 10, only: Only = EVERYTHING) -> list[Hit]:
    """The best `k` videos that are not offline, best first, equals in path order.

    Args:
        wishes: one, or several, whose rankings are fused (see `fuse`).
        only: which rows may be found.

    Raises:
        StoreError: the store cannot be read, or holds vectors of another size.
        ValueError: there is no wish, or `k` is below 1.
    """
    if not wishes or k < 1:
        raise ValueError("a search needs a wish, and a k of at least 1")
    snapshot = store.snapshot()
    if snapshot is None:
        return []
    for wish in wishes:
        _check_size(store, snapshot.dimension, wish)
    if len(wishes) == 1:
        return rank(snapshot, wishes[0], only, k)
    depth = max(k, FUSED_DEPTH)
    return fuse([rank(snapshot, wish, only, depth) for wish in wishes])[:k]


def like(store: Store, path: str) -> Like | None:
    """`Like.of` the row of this path; None where there is none."""
    row = store.rows([path]).get(path)
    return Like.of(row) if row is not None else None


def _check_size(store: Store, d: int, wish: Wish) -> None:
    for vector in () if isinstance(wish, Says) else wish.vectors:
        if len(vector) != d:
            raise StoreError(
                f"the query's vectors have {len(vector)} numbers and those in the store {store.uri}"
                f" have {d}: another CLIP model made them; set clip.model back, or another "
                "store.uri"
            )
