"""Search finds what numpy finds, in an order that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.retrieval.filter import Filter
from store.retrieval.hits import Evidence
from store.retrieval.queries import Semantic, SimilarTo, Words
from store.retrieval.search import search, similar_to
from store.schema import Row
from store.table import index
from store.table.store import Store
from tests.support.rows import ODD_PATHS, D, coherent, make_row, unit
from tests.support.searches import COUNT, paths


def test_a_video_is_most_like_itself(store: Store) -> None:
    for path in ("x/03", "x/04"):  # without and with speech
        query = similar_to(store, path)
        assert query is not None
        others = search(store, query, k=3)
        assert len(others) == 3
        assert path not in {hit.path for hit in others}
        hits = search(store, SimilarTo.of(store.rows([path])[path]), k=3)
        assert hits[0].path == path
        assert hits[1:] == others[:2]
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert len(hits) == 3
        assert hits == sorted(hits, key=lambda hit: -hit.score)
        assert (hits[0].label, hits[0].transcript) == ("x", "words 0 words 1" * (path == "x/04"))


def test_the_same_vectors_are_a_full_match_whatever_is_usual(tmp_path: Path) -> None:
    """In a collection of copies everything is like everything; of one video, nothing is usual."""
    for count in (1, 30):
        store = Store.open(str(tmp_path / f"{count}"), writer=True)
        store.upsert(coherent(f"{i}", 4, windows=2) for i in range(count))
        store.upsert([coherent("silent", 5, windows=0), make_row("other", 6)])
        for path in ("0", "silent"):
            row = store.rows([path])[path]
            frame = Semantic(row.frame_vectors[1], speech=False)
            for query in (SimilarTo.of(row), SimilarTo(row.visual), frame):
                hit, *_ = search(store, query, k=1)
                assert (hit.label, hit.match, hit.good) == (None, 100, True)
            hits = search(store, SimilarTo.of(row), k=count + 2)
            assert {hit.path for hit in hits if hit.match == 100} == (
                {"silent"} if path == "silent" else {f"{i}" for i in range(count)}
            )


def test_a_video_that_is_not_in_the_store(store: Store) -> None:
    assert similar_to(store, "unknown") is None


def test_videos_are_alike_by_both_halves(store: Store, rows: list[Row], vector: np.ndarray) -> None:
    expected = np.array([(r.visual @ vector + r.speech @ -vector) / 2 for r in rows])
    hits = search(store, SimilarTo(vector, -vector), k=COUNT)
    assert paths(hits) == [rows[i].path for i in np.argsort(-expected)]
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(expected)[::-1], atol=1e-5)


@pytest.mark.parametrize("nothing", [None, np.zeros(D, np.float32)])
def test_a_video_without_speech_is_compared_by_picture(
    store: Store, rows: list[Row], vector: np.ndarray, nothing: Any
) -> None:
    expected = np.array([row.visual @ vector for row in rows])
    hits = search(store, SimilarTo(vector, nothing), k=5)
    assert paths(hits) == [f"x/{i:02}" for i in np.argsort(-expected)[:5]]
    assert hits[0].score == pytest.approx(expected.max(), abs=1e-5)


def test_only_who_speaks_is_like_a_speech(store: Store, rows: list[Row]) -> None:
    hits = search(store, SimilarTo(None, rows[4].speech), k=COUNT)
    assert hits[0].path == "x/04"
    assert len(hits) == COUNT * 2 // 3
    assert {hit.why.kind for hit in hits} == {"speech"}


def test_a_vector_is_sought_in_every_frame(store: Store, rows: list[Row]) -> None:
    target = rows[8]
    hits = search(store, Semantic(target.frame_vectors[2], speech=False), k=3)
    assert hits[0].path == target.path
    assert hits[0].why == Evidence("picture", time=target.frame_times[2])


def with_moments(row: Row, seed: int) -> Row:
    """A long video whose frames and whole picture say nothing of its moments."""
    vectors = unit(np.random.default_rng(seed), 40, D)
    return replace(
        row,
        duration_seconds=400.0,
        moment_times=np.arange(40) * 10.0,
        moment_vectors=vectors.astype(np.float16).astype(np.float32),
        moments_recipe="clip A moments",
    )


def test_a_vector_is_sought_in_every_moment_of_a_long_video(filled: Store) -> None:
    """Also of one whose whole picture is not among the nearest."""
    filled.upsert(make_row(f"more/{i:03}", 2_000 + i) for i in range(200))
    target = with_moments(make_row("long", 500), 501)
    vector = target.moment_vectors[17]
    filled.upsert([replace(target, visual=-vector, label="long")])
    hit, *_ = search(filled, Semantic(vector, speech=False))
    assert (hit.path, hit.why) == ("long", Evidence("picture", time=170.0))
    frame, *_ = search(filled, Semantic(target.frame_vectors[1], speech=False))
    assert frame.why == Evidence("picture", time=target.frame_times[1])
    others = search(filled, Semantic(vector), only=Filter(label="more"))
    assert others[0].label == "more"


def test_the_index_of_moments_finds_what_a_comparison_of_all_does(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [with_moments(make_row(f"long/{i:03}", 500 + i), 600 + i) for i in range(300)]
    monkeypatch.setattr(index, "LONG_TO_INDEX", len(long))
    monkeypatch.setattr(index, "FEW_ROWS", 0)
    filled.upsert(long[1:])
    filled.upkeep(force=True)
    assert index.MOMENTS not in indexed(filled)  # too few
    filled.upsert(long[:1])
    queries = [Semantic(each.moment_vectors[17], speech=False) for each in (long[0], long[200])]
    exact = [[hit.path for hit in search(filled, query, k=5)] for query in queries]
    filled.upkeep(force=True)
    assert index.MOMENTS in indexed(filled)
    for query, wanted in zip(queries, exact, strict=True):
        found = [hit.path for hit in search(filled, query, k=5)]
        assert found[0] == wanted[0]
        assert len({*found} & {*wanted}) >= 4
    new = with_moments(make_row("new", 1_000), 1_001)
    filled.upsert([replace(new, visual=-new.moment_vectors[3])])
    hit, *_ = search(filled, Semantic(new.moment_vectors[3], speech=False))
    assert (hit.path, hit.why) == ("new", Evidence("picture", time=30.0))


def test_short_videos_want_no_index_of_moments(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows have the recipe, which says that none are to be made of them."""
    monkeypatch.setattr(index, "LONG_TO_INDEX", 1)
    filled.upsert([replace(make_row("short", 500), moments_recipe="clip A moments")])
    filled.upkeep(force=True)
    assert filled.upkeep_failures == 0
    assert index.MOMENTS not in indexed(filled)


def indexed(store: Store) -> set[str]:
    assert store.videos.table is not None
    return {each.columns[0] for each in store.videos.table.list_indices()}


def test_a_long_video_without_a_single_moment_is_found_by_its_frames(filled: Store) -> None:
    row = replace(make_row("long", 500), duration_seconds=400.0)
    filled.upsert([row])
    hit, *_ = search(filled, Semantic(row.frame_vectors[1], speech=False))
    assert (hit.path, hit.why.time) == ("long", row.frame_times[1])


def test_a_vector_is_sought_in_every_stretch_of_speech(store: Store, rows: list[Row]) -> None:
    target = rows[8]
    for picture in (False, True):
        hits = search(store, Semantic(target.speech_vectors[1], picture=picture))
        assert hits[0].path == target.path
        assert hits[0].why == Evidence("speech", time=1.0, end=2.5, sentence="words 1")


def test_who_is_silent_is_not_behind_who_speaks_of_something_else(
    filled: Store, vector: np.ndarray
) -> None:
    silent = make_row("shows it", 1000, windows=0)
    frames = np.stack([vector] * 3)
    filled.upsert([replace(silent, visual=vector, frame_vectors=frames)])
    unrelated = unit(np.random.default_rng(5), 40, D)
    hit, *_ = search(filled, Semantic(vector, unrelated=unrelated))
    assert (hit.path, hit.why.kind) == ("shows it", "picture")


def test_equals_come_in_path_order_whatever_order_they_were_written_in(
    filled: Store, vector: np.ndarray
) -> None:
    names = [f"copy/{i:02}" for i in np.random.default_rng(1).permutation(43)]
    frames, windows = np.stack([vector] * 3), np.stack([vector] * 2)
    copy = replace(make_row("copy", 7), visual=vector, speech=vector, transcript="same again")
    copy = replace(copy, frame_vectors=frames, speech_vectors=windows)
    for start in range(0, len(names), 10):
        filled.upsert(replace(copy, path=name) for name in names[start : start + 10])
    queries = (SimilarTo(vector, vector), Semantic(vector), Words("same again"))
    for k in (1, 5, 42, 43):
        for query in queries:
            assert paths(search(filled, query, k=k)) == sorted(names)[:k]
        assert paths(search(filled, *queries, k=k)) == sorted(names)[:k]


@pytest.mark.parametrize("k", [COUNT + 1, 2**32, 2**70])
def test_more_hits_than_there_are_rows(store: Store, vector: np.ndarray, k: int) -> None:
    for queries in ([Words("words")], [Semantic(vector)], [SimilarTo(vector), Words("words")]):
        assert search(store, *queries, k=k) == search(store, *queries, k=COUNT)


def test_odd_paths_are_found(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "odd"), writer=True)
    store.upsert(make_row(path, i) for i, path in enumerate(ODD_PATHS))
    for path in ODD_PATHS:
        assert search(store, SimilarTo.of(store.rows([path])[path]), k=1)[0].path == path
        query = similar_to(store, path)
        assert query is not None
        assert path not in {hit.path for hit in search(store, query, k=100)}
