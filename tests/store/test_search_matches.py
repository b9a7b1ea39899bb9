"""How well a hit matches and why, several queries at once, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import StoreError
from store.retrieval.hits import (
    HIT_SCHEMA,
    Evidence,
    Hit,
    as_arrow,
    as_dicts,
    fuse,
    nothing_matches,
)
from store.retrieval.queries import Semantic, SimilarTo, Words
from store.retrieval.search import FUSED_DEPTH, search, similar_to
from store.schema import Row
from store.table.store import Store
from tests.support.rows import D, make_row, unit
from tests.support.searches import COUNT, paths


def test_a_few_videos_are_too_few_to_judge(tmp_path: Path, vector: np.ndarray) -> None:
    store = Store.open(str(tmp_path / "few"), writer=True)
    store.upsert(make_row(f"{i}", i) for i in range(9))
    for query in (
        SimilarTo(vector, vector),
        Semantic(vector),
        Semantic(vector, unrelated=vector[None]),
    ):
        hits = search(store, query, k=9)
        assert {(hit.match, hit.good) for hit in hits} == {(None, None)}
        assert not nothing_matches(hits)
        assert len(hits) == 9
    store.upsert([make_row("9", 9)])
    assert None not in {hit.match for hit in search(store, SimilarTo(vector, vector))}


def test_the_same_question_has_the_same_answer(store: Store, vector: np.ndarray) -> None:
    again = Store.open(store.uri)
    query = Semantic(vector, unrelated=unit(np.random.default_rng(5), 40, D))
    assert search(store, query) == search(store, query) == search(again, query)


def test_queries_are_fused_by_rank(store: Store, rows: list[Row]) -> None:
    first, second = SimilarTo(rows[3].visual), Semantic(rows[7].frame_vectors[0])
    rankings = [search(store, query, k=100) for query in (first, second)]
    hits = search(store, first, second, k=COUNT)
    for hit in hits:
        ranks = [paths(ranking).index(hit.path) + 1 for ranking in rankings]
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in ranks) * 61 / 2)
        assert hit.match == max(r[n - 1].match or 0 for r, n in zip(rankings, ranks, strict=True))
    assert search(store, first, second, k=4) == hits[:4]


def test_more_hits_than_the_fused_depth(filled: Store, vector: np.ndarray) -> None:
    filled.upsert(make_row(f"z/{i}", 1000 + i) for i in range(FUSED_DEPTH))
    assert len(search(filled, SimilarTo(vector), Semantic(vector), k=150)) == 150


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=3))
def test_fused_scores_lie_between_0_and_1(rankings: list[list[str]]) -> None:
    made = [
        [Hit(p, None, 0.0, "", None, None, Evidence("picture")) for p in each] for each in rankings
    ]
    fused = fuse(made)
    assert {hit.path for hit in fused} == {path for ranking in rankings for path in ranking}
    assert all(0 < hit.score <= 1 + 1e-12 for hit in fused)
    first = {ranking[0] if ranking else None for ranking in rankings}
    if len(first) == 1 and None not in first:
        assert fused[0].score == pytest.approx(1)


def test_hits_as_dicts_and_as_arrow(store: Store, rows: list[Row]) -> None:
    hits = search(store, Semantic(rows[8].speech_vectors[1]), k=2)
    table = as_arrow(hits)
    assert table.schema == HIT_SCHEMA
    assert table.to_pylist() == as_dicts(hits)
    first = as_dicts(hits)[0]
    assert (first["path"], first["kind"], first["sentence"]) == ("x/08", "speech", "words 1")
    assert 80 < first["match"] <= 100
    assert as_arrow([]).num_rows == 0


def test_an_empty_store_has_no_hits(tmp_path: Path, vector: np.ndarray) -> None:
    none = Store.open(str(tmp_path / "none"))
    assert search(none, SimilarTo(vector)) == search(none, Words("a")) == []
    assert similar_to(none, "a") is None


def test_a_reader_finds_what_another_store_object_has_written_since(
    tmp_path: Path, vector: np.ndarray
) -> None:
    uri, row = str(tmp_path / "store"), replace(make_row("first", 1), visual=vector)
    with Store.open(uri, writer=True) as writer, Store.open(uri) as reader:
        assert search(reader, SimilarTo(vector)) == []
        writer.upsert([row])
        assert paths(search(reader, SimilarTo(vector))) == ["first"]
        writer.upsert([replace(row, path="second", label="new")])
        assert paths(search(reader, SimilarTo(vector))) == ["first", "second"]
        writer.upkeep(force=True)
        writer.remove(["first"])
        assert [hit.label for hit in search(reader, SimilarTo(vector))] == ["new"]


def test_a_store_that_was_emptied_has_no_hits(filled: Store, vector: np.ndarray) -> None:
    filled.remove(list(filled.known()))
    for query in (
        SimilarTo(vector),
        Semantic(vector),
        Semantic(vector, unrelated=vector[None]),
        Words("words"),
    ):
        assert search(filled, query) == []


def test_a_query_of_another_size_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"12 numbers.*have 8"):
        search(store, SimilarTo(np.ones(12, np.float32)))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"visual": np.zeros(D)},
        {"visual": np.full(D, np.nan)},
        {"visual": np.ones(D), "speech": np.ones(D + 1)},
        {"visual": np.ones((1, D))},
    ],
)
def test_an_impossible_query_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="vector"):
        SimilarTo(**wrong)


def test_a_search_for_nothing_is_refused(store: Store, vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match="query"):
        search(store)
    with pytest.raises(ValueError, match="k of at least 1"):
        search(store, SimilarTo(vector), k=0)
    with pytest.raises(ValueError, match="look in"):
        Semantic(vector, picture=False, speech=False)
