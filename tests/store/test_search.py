"""Search finds what numpy finds, says how well it matches and why, and never mixes recipes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import StoreError
from store.retrieval.filter import Filter
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
from tests.support.rows import ODD_PATHS, D, make_row, unit

COUNT = 60


def coherent(path: str, seed: int, windows: int) -> Row:
    """A row of which the halves are the means of their pieces."""
    row = make_row(path, seed, windows=windows)
    visual, speech = mean(row.frame_vectors), mean(row.speech_vectors) if windows else row.speech
    return replace(row, visual=visual, speech=speech)


def mean(vectors: np.ndarray) -> np.ndarray:
    whole: np.ndarray = vectors.mean(axis=0)
    return whole / np.linalg.norm(whole)


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Rows `x/00` to `x/59`; every third has no speech."""
    store = Store.open(str(tmp_path / "store"), writer=True)
    store.upsert(coherent(f"x/{i:02}", i, windows=2 * bool(i % 3)) for i in range(COUNT))
    return store


@pytest.fixture
def rows(store: Store) -> list[Row]:
    found = store.rows(sorted(store.known()))
    return [found[path] for path in sorted(found)]


@pytest.fixture
def vector() -> np.ndarray:
    return unit(np.random.default_rng(99), D)


# which videos, and in which order


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


def test_a_vector_is_sought_in_every_stretch_of_speech(store: Store, rows: list[Row]) -> None:
    target = rows[8]
    for picture in (False, True):
        hits = search(store, Semantic(target.speech_vectors[1], picture=picture))
        assert hits[0].path == target.path
        assert hits[0].why == Evidence("speech", time=1.0, end=2.5, sentence="words 1")


def test_who_is_silent_is_not_behind_who_speaks_of_something_else(
    store: Store, vector: np.ndarray
) -> None:
    silent = make_row("shows it", 1000, windows=0)
    frames = np.stack([vector] * 3)
    store.upsert([replace(silent, visual=vector, frame_vectors=frames)])
    unrelated = unit(np.random.default_rng(5), 40, D)
    hit, *_ = search(store, Semantic(vector, unrelated=unrelated))
    assert (hit.path, hit.why.kind) == ("shows it", "picture")


def test_what_is_left_out(store: Store, vector: np.ndarray) -> None:
    store.upsert(
        [
            replace(make_row("y/other", 1), visual=vector, visual_recipe="clip B"),
            replace(make_row("y/heard", 2), visual=vector, speech_recipe="clip A, whisper B"),
            make_row("y/same", 3),
        ]
    )
    store.set_offline(["x/01"], offline=True)
    recipes = {"visual_recipe": "clip A", "speech_recipe": "clip A, whisper A"}
    for query in (SimilarTo(vector, vector, **recipes), Semantic(vector, **recipes)):
        found = paths(search(store, query, k=100))
        assert len(found) == COUNT  # 60, without the offline one, and with y/same
        assert not {"y/other", "y/heard", "x/01"} & set(found)
        assert paths(search(store, query, only=Filter(label="y"))) == ["y/same"]
        assert search(store, query, only=Filter(label="it's")) == []
    assert "x/01" not in paths(search(store, Words("words"), k=100))


def test_filters(store: Store, vector: np.ndarray) -> None:
    modified = datetime(2024, 3, 1, 12, tzinfo=UTC)
    ns = int(modified.timestamp()) * 1_000_000_000
    store.upsert(
        [
            replace(make_row("root", 1), mtime_ns=ns, language="de", duration_seconds=3.0),
            replace(make_row("it's/short", 2), duration_seconds=3.5),
            replace(make_row('"quo"te/long', 3), duration_seconds=300.0),
        ]
    )
    expected = {
        Filter(unlabeled=True): ["root"],
        Filter(label="it's"): ["it's/short"],
        Filter(label='"quo"te'): ['"quo"te/long'],
        Filter(language="de"): ["root"],
        Filter(language="DE"): ["root"],
        Filter(since=datetime.min.replace(tzinfo=UTC), label="it's"): ["it's/short"],
        Filter(since=datetime.max.replace(tzinfo=UTC)): [],
        Filter(max_seconds=3): ["root"],
        Filter(min_seconds=3.5, max_seconds=4): ["it's/short"],
        Filter(min_seconds=300): ['"quo"te/long'],
        Filter(since=modified): ["root"],
        Filter(since=modified, label="x"): [],
        Filter(label="' OR 1=1 --"): [],
    }
    for only, found in expected.items():
        for query in (SimilarTo(vector, vector), Semantic(vector), Words("words 0")):
            assert paths(search(store, query, only=only, k=COUNT)) == found


def test_labels_and_languages_are_found_however_they_are_written(store: Store) -> None:
    names = ["Ame\u0301lie/1", "Am\u00e9lie/2", "\ud55c/3", "\u1112\u1161\u11ab/4"]
    store.upsert(replace(make_row(name, i), language="de") for i, name in enumerate(names))
    for label, found in (
        ("Am\u00e9lie", names[:2]),
        ("Ame\u0301lie", names[:2]),
        ("\u1112\u1161\u11ab", names[2:]),
    ):
        assert sorted(paths(search(store, Words("words"), only=Filter(label=label)))) == sorted(
            found
        )
    assert sorted(paths(search(store, Words("words"), only=Filter(language="DE")))) == sorted(names)


@pytest.mark.parametrize(
    ("since", "found"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), ["first", "last", "new"]),
        (datetime(1900, 1, 1, tzinfo=UTC), ["last", "new"]),
        (datetime(2024, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC), ["last", "new"]),
        (datetime(2024, 3, 1, 12, 0, 0, 250_001, tzinfo=UTC), ["last"]),
        (datetime(9999, 12, 31, tzinfo=UTC), ["last"]),
    ],
)
def test_since_any_time_there_is(tmp_path: Path, since: datetime, found: list[str]) -> None:
    times = {"first": 1 - 2**63, "last": 2**63 - 1, "new": 1_709_294_400_250_000_000}
    with Store.open(str(tmp_path), writer=True) as store:
        store.upsert(replace(make_row(path), mtime_ns=ns) for path, ns in times.items())
        assert paths(search(store, Words("words"), only=Filter(since=since))) == found


@pytest.mark.parametrize(
    "wrong",
    [{"label": "x", "unlabeled": True}, {"since": datetime(2024, 1, 1)}],
)
def test_an_impossible_filter_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"label|time zone"):
        Filter(**wrong)


def test_equals_come_in_path_order_whatever_order_they_were_written_in(
    store: Store, vector: np.ndarray
) -> None:
    names = [f"copy/{i:02}" for i in np.random.default_rng(1).permutation(43)]
    frames, windows = np.stack([vector] * 3), np.stack([vector] * 2)
    copy = replace(make_row("copy", 7), visual=vector, speech=vector, transcript="same again")
    copy = replace(copy, frame_vectors=frames, speech_vectors=windows)
    for start in range(0, len(names), 10):
        store.upsert(replace(copy, path=name) for name in names[start : start + 10])
    queries = (SimilarTo(vector, vector), Semantic(vector), Words("same again"))
    for k in (1, 5, 42, 43):
        for query in queries:
            assert paths(search(store, query, k=k)) == sorted(names)[:k]
        assert paths(search(store, *queries, k=k)) == sorted(names)[:k]


def test_a_label_is_found_in_every_normal_form(tmp_path: Path) -> None:
    """Composed as keyboards write it, decomposed as macOS names folders; a row has either."""
    store = Store.open(str(tmp_path / "forms"), writer=True)
    forms = [normalize(form, "Größe für Vögel") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    names = [f"{form}/1.mp4" for form in forms]
    store.upsert(make_row(name, i) for i, name in enumerate(names))
    for form in forms:
        hits = search(store, Words("words"), only=Filter(label=form))
        assert paths(hits) == sorted(names)


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


# how well


def test_a_true_match_stands_out_and_an_unrelated_question_does_not(
    store: Store, rows: list[Row]
) -> None:
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


# several queries


def test_queries_are_fused_by_rank(store: Store, rows: list[Row]) -> None:
    first, second = SimilarTo(rows[3].visual), Semantic(rows[7].frame_vectors[0])
    rankings = [search(store, query, k=100) for query in (first, second)]
    hits = search(store, first, second, k=COUNT)
    for hit in hits:
        ranks = [paths(ranking).index(hit.path) + 1 for ranking in rankings]
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in ranks) * 61 / 2)
        assert hit.match == max(r[n - 1].match or 0 for r, n in zip(rankings, ranks, strict=True))
    assert search(store, first, second, k=4) == hits[:4]


def test_more_hits_than_the_fused_depth(store: Store, vector: np.ndarray) -> None:
    store.upsert(make_row(f"z/{i}", 1000 + i) for i in range(FUSED_DEPTH))
    assert len(search(store, SimilarTo(vector), Semantic(vector), k=150)) == 150


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


# what comes back


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


def test_a_store_that_was_emptied_has_no_hits(store: Store, vector: np.ndarray) -> None:
    store.remove(list(store.known()))
    for query in (
        SimilarTo(vector),
        Semantic(vector),
        Semantic(vector, unrelated=vector[None]),
        Words("words"),
    ):
        assert search(store, query) == []


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
