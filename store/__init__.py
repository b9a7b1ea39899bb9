"""The local vector store: one LanceDB table of videos, searched, exported and kept in shape.

    from store import Filter, Store, Words, search

    with Store.open("data/store") as store:
        print(search(store, Words("let it rest"), only=Filter(label="cooking"), k=3))

Each name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.artifacts.export import export
    from store.retrieval.filter import Filter
    from store.retrieval.hits import Evidence, Hit, as_arrow, as_dicts
    from store.retrieval.queries import Query, Semantic, SimilarTo, Words
    from store.retrieval.search import search, similar_to
    from store.schema import FailedFile, Recipe, Row, Segment
    from store.table.store import Store

__all__ = [
    "Evidence",
    "FailedFile",
    "Filter",
    "Hit",
    "Query",
    "Recipe",
    "Row",
    "Segment",
    "Semantic",
    "SimilarTo",
    "Store",
    "Words",
    "as_arrow",
    "as_dicts",
    "export",
    "search",
    "similar_to",
]

_HOMES = {
    "store.artifacts.export": ("export",),
    "store.retrieval.filter": ("Filter",),
    "store.retrieval.hits": ("Evidence", "Hit", "as_arrow", "as_dicts"),
    "store.retrieval.queries": ("Query", "Semantic", "SimilarTo", "Words"),
    "store.retrieval.search": ("search", "similar_to"),
    "store.schema": ("FailedFile", "Recipe", "Row", "Segment"),
    "store.table.store": ("Store",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
