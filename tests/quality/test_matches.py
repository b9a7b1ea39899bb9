"""What a search calls a match is one, in a collection of any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from store.retrieval.hits import nothing_matches
from store.retrieval.queries import Semantic, SimilarTo
from store.retrieval.search import search
from store.table.store import Store
from tests.support.rows import D, make_row, unit
from tests.support.searches import fill


def test_a_true_match_stands_out_and_an_unrelated_question_does_not(tmp_path: Path) -> None:
    store = fill(tmp_path)
    found = store.rows(sorted(store.known()))
    rows = [found[path] for path in sorted(found)]
    rng = np.random.default_rng(3)
    unrelated = unit(rng, 40, D)
    asked = rows[::3]
    good = [search(store, Semantic(row.frame_vectors[0], unrelated=unrelated)) for row in asked]
    assert [hits[0].path for hits in good] == [row.path for row in asked]
    in_vain = [search(store, Semantic(v, unrelated=unrelated)) for v in unit(rng, 40, D)]
    assert sum(nothing_matches(hits) for hits in in_vain) >= 34


@pytest.mark.parametrize("count", [12, 100, 1500])
def test_of_unrelated_videos_few_match_at_any_size_of_the_collection(
    tmp_path: Path, count: int
) -> None:
    """In clusters that have nothing to do with each other; all in a narrow cone, as CLIP's are."""
    rng, d = np.random.default_rng(count), 64
    cone = unit(rng, d)

    def near(centre: np.ndarray, n: int, spread: float) -> np.ndarray:
        made = centre + spread * unit(rng, n, d)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return (made / lengths).astype(np.float32)

    clusters = near(cone, 12, 0.7)
    store = Store.open(str(tmp_path / "store"), writer=True)
    base = make_row("base", 1, d=d, frames=1, windows=0)
    store.upsert(
        replace(base, path=f"{i:05}", visual=v, frame_vectors=v[None])
        for i, v in enumerate(near(c, 1, 0.3)[0] for c in clusters[rng.integers(0, 12, count)])
    )
    related = [search(store, SimilarTo(v))[0] for v in near(clusters[0], 20, 0.3)]
    strange = [search(store, SimilarTo(v)) for v in near(cone, 20, 0.7)]
    if count > 12:
        assert sum(bool(hit.good) for hit in related) >= 18
    assert sum(nothing_matches(hits) for hits in strange) >= 17
