"""Search finds what numpy finds, says how alike it is, and never mixes recipes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import StoreError
from store.search import FUSED_DEPTH, Hit, Query, fuse, query_like, search
from store.table import Store
from tests.test_store import D, make_row, unit

COUNT = 60


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Rows `x/00` to `x/59`; every third has no speech."""
    store = Store.open(str(tmp_path / "store"), writer=True)
    store.upsert(make_row(f"x/{i:02}", i, windows=2 * bool(i % 3)) for i in range(COUNT))
    return store


@pytest.fixture
def halves(store: Store) -> tuple[np.ndarray, np.ndarray]:
    rows = [store.rows([path])[path] for path in sorted(store.known())]
    return np.stack([row.visual for row in rows]), np.stack([row.speech for row in rows])


@pytest.fixture
def vector() -> np.ndarray:
    return unit(np.random.default_rng(99), D)


def test_a_video_is_most_like_itself(store: Store) -> None:
    for path in ("x/03", "x/04"):  # without and with speech
        query = query_like(store, path, k=3)
        assert query is not None
        hits = search(store, query)
        assert hits[0].path == path
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert len(hits) == 3
        assert hits == sorted(hits, key=lambda hit: -hit.score)


def test_a_video_that_is_not_in_the_store(store: Store) -> None:
    assert query_like(store, "unknown") is None


def test_a_hit_says_what_it_is(store: Store) -> None:
    query = query_like(store, "x/04", k=1)
    assert query is not None
    (hit,) = search(store, query)
    assert (hit.label, hit.transcript) == ("x", "words 0 words 1")


def test_scores_are_those_of_both_halves(
    store: Store, halves: tuple[np.ndarray, np.ndarray], vector: np.ndarray
) -> None:
    visual, speech = halves
    expected = (visual @ vector + speech @ -vector) / 2
    hits = search(store, Query(vector, -vector, k=COUNT))
    assert paths(hits) == [f"x/{i:02}" for i in np.argsort(-expected)]
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(expected)[::-1], atol=1e-5)


@pytest.mark.parametrize("nothing", [None, np.zeros(D, np.float32)])
def test_a_video_without_speech_is_compared_by_picture(
    store: Store, halves: tuple[np.ndarray, np.ndarray], vector: np.ndarray, nothing: Any
) -> None:
    expected = halves[0] @ vector
    hits = search(store, Query(vector, nothing, k=5))
    assert paths(hits) == [f"x/{i:02}" for i in np.argsort(-expected)[:5]]
    assert hits[0].score == pytest.approx(expected.max(), abs=1e-5)


def test_a_text_is_ranked_by_picture_and_by_words(
    store: Store, halves: tuple[np.ndarray, np.ndarray], vector: np.ndarray
) -> None:
    by_picture = list(np.argsort(-(halves[0] @ vector)))
    spoken = [i for i in np.argsort(-(halves[1] @ vector)) if i % 3]
    ranks = [{i: rank for rank, i in enumerate(each, 1)} for each in (by_picture, spoken)]
    expected = {
        f"x/{i:02}": sum(1 / (60 + rank[i]) for rank in ranks if i in rank) * 61 / 2
        for i in range(COUNT)
    }
    hits = search(store, Query(vector, vector, k=COUNT, fuse=True))
    assert {hit.path: hit.score for hit in hits} == pytest.approx(expected)
    assert paths(hits) == sorted(expected, key=lambda path: (-expected[path], path))
    assert search(store, Query(vector, vector, k=4, fuse=True)) == hits[:4]


def test_a_text_alone_against_words_finds_only_what_is_spoken(
    store: Store, vector: np.ndarray
) -> None:
    hits = search(store, Query(speech=vector, k=COUNT, fuse=True))
    assert len(hits) == COUNT * 2 // 3
    assert all(int(hit.path[2:]) % 3 for hit in hits)
    assert hits[0].score == pytest.approx(1)


def test_what_is_left_out(store: Store, vector: np.ndarray) -> None:
    store.upsert(
        [
            replace(make_row("y/other", 1), visual=vector, visual_recipe="clip B"),
            replace(make_row("y/heard", 2), visual=vector, speech_recipe="clip A, whisper B"),
            make_row("y/same", 3),
        ]
    )
    store.set_offline(["x/01"], True)
    for fused in (False, True):
        query = Query(vector, vector, k=100, visual_recipe="clip A", fuse=fused)
        query = replace(query, speech_recipe="clip A, whisper A")
        found = paths(search(store, query))
        assert len(found) == COUNT  # 60, without the offline one, and with y/same
        assert not {"y/other", "y/heard", "x/01"} & set(found)
        assert paths(search(store, replace(query, label="y"))) == ["y/same"]
        assert paths(search(store, replace(query, label="it's"))) == []


def test_equals_come_in_path_order_whatever_order_they_were_written_in(
    store: Store, vector: np.ndarray
) -> None:
    names = [f"copy/{i:02}" for i in np.random.default_rng(1).permutation(40)]
    for name in names:
        store.upsert([replace(make_row(name, 7), visual=vector, speech=vector)])
    for k in (1, 5, 39, 40):
        for fused in (False, True):
            found = paths(search(store, Query(vector, vector, k=k, fuse=fused)))
            assert found == sorted(names)[:k]


def test_more_hits_than_the_fused_depth(store: Store, vector: np.ndarray) -> None:
    store.upsert(make_row(f"z/{i}", 1000 + i) for i in range(FUSED_DEPTH))
    assert len(search(store, Query(vector, vector, k=150, fuse=True))) == 150


def test_an_empty_store_has_no_hits(tmp_path: Path, vector: np.ndarray) -> None:
    assert search(Store.open(str(tmp_path / "none")), Query(vector)) == []
    assert query_like(Store.open(str(tmp_path / "none")), "a") is None


def test_a_query_of_another_size_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"12 numbers.*have 8"):
        search(store, Query(np.ones(12, np.float32)))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"visual": np.zeros(D)},
        {"visual": np.full(D, np.nan)},
        {"visual": np.ones(D), "speech": np.ones(D + 1)},
        {"visual": np.ones((1, D))},
        {"visual": np.ones(D), "k": 0},
    ],
)
def test_an_impossible_query_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"vector|k must"):
        Query(**wrong)


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=3))
def test_fused_scores_lie_between_0_and_1(rankings: list[list[str]]) -> None:
    fused = fuse([[Hit(path, None, 0.0, "") for path in ranking] for ranking in rankings])
    assert {hit.path for hit in fused} == {path for ranking in rankings for path in ranking}
    assert all(0 < hit.score <= 1 + 1e-12 for hit in fused)
    first = {ranking[0] if ranking else None for ranking in rankings}
    if len(first) == 1 and None not in first:
        assert fused[0].score == pytest.approx(1)
