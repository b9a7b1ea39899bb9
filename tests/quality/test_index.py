"""Indexes come when they pay, find what an exact search finds, and hide no new row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from store.retrieval.filter import Filter
from store.retrieval.hits import Hit
from store.retrieval.queries import Semantic, SimilarTo, Words
from store.retrieval.search import search, similar_to
from store.table import index, keyed
from store.table.arrow import rows_to_arrow
from store.table.store import Store
from tests.support.rows import make_row

D = 64
ROWS = 5_040
LABELS = 10
SILENT = 7  # one row of so many


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A table that is large enough for indexes, as if so many paid; not kept up yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ROWS_TO_INDEX", ROWS - 100)
        yield _large(tmp_path_factory.mktemp("large"))


def _large(folder: Path) -> Store:
    rng = np.random.default_rng(1)
    store = Store.open(str(folder), writer=True)
    centres = rng.standard_normal((200, 2 * D))
    vectors = centres[rng.integers(0, 200, ROWS)] + 0.8 * rng.standard_normal((ROWS, 2 * D))
    halves = unit(vectors.reshape(ROWS, 2, D))
    halves[::SILENT, 1] = 0
    silent = np.arange(ROWS) % SILENT == 0
    kinds = [make_row("base", 1, d=D, frames=1, windows=windows) for windows in (1, 0)]
    table = rows_to_arrow(kinds).take(silent.astype(int))

    def fixed(array: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[-1])

    lists = pa.array(np.arange(ROWS + 1, dtype=np.int32))
    said = pa.array(np.concatenate([[0], np.cumsum(~silent)]).astype(np.int32))
    columns = {
        "path": pa.array([f"{i:06}" for i in range(ROWS)]),
        "label": pa.array([f"l{i % LABELS}" for i in range(ROWS)]),
        "embedding": fixed(halves.reshape(ROWS, 2 * D)),
        "frame_vectors": pa.ListArray.from_arrays(lists, fixed(halves[:, 0].astype(np.float16))),
        "speech_vectors": pa.ListArray.from_arrays(
            said, fixed(halves[~silent, 1].astype(np.float16))
        ),
    }
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, table.schema.field(name), column.cast(table.column(name).type)
        )
    store.videos.upsert(table)
    return store


def indexes(store: Store) -> dict[str, str]:
    table = store.videos.table
    assert table is not None
    return {each.columns[0]: each.index_type for each in table.list_indices()}


def test_a_new_table_has_an_index_of_words_only(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), writer=True)
    store.upsert([make_row("a", 1)])
    assert indexes(store) == {"words": "FTS"}
    store.upkeep(force=True)
    assert indexes(store) == {"words": "FTS"}


def test_an_index_of_words_that_is_missing_is_made_by_upkeep(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "store"), writer=True)
    store.upsert([replace(make_row("a", 1), transcript="我们今天去北京")])
    table = store.videos.table
    assert table is not None
    table.drop_index("words_idx")
    store.upkeep(force=True)
    assert [hit.path for hit in search(store, Words("北京"))] == ["a"]


def test_a_large_table_is_searched_as_exactly_with_indexes(large: Store) -> None:
    queries: list[tuple[SimilarTo | Semantic, Filter]] = []
    for i in range(1, ROWS, ROWS // 8):
        query = similar_to(large, f"{i:06}")
        assert query is not None
        assert query.visual is not None
        queries.append((query, Filter()))
        queries.append((SimilarTo(query.visual), Filter()))
        queries.append((SimilarTo(None, query.speech), Filter(label="l3")))
        queries.append((Semantic(query.visual), Filter(min_seconds=12)))
    exact = [paths(search(large, query, only=only)) for query, only in queries]
    assert large.upkeep(force=True)
    assert large.upkeep_failures == 0
    assert indexes(large) == {
        "words": "FTS",
        "embedding": "IvfRq",
        **dict.fromkeys(index.BITMAPS, "Bitmap"),
    }
    found = [paths(search(large, query, only=only)) for query, only in queries]
    recall = [len(set(a) & set(b)) / len(a) for a, b in zip(exact, found, strict=True)]
    assert np.mean(recall) >= 0.95
    assert min(recall) >= 0.7


def test_new_rows_are_found_at_once_beside_the_indexes(large: Store) -> None:
    rng = np.random.default_rng(8)
    row = make_row("new/one", 2, d=D, frames=1, windows=1)
    vector = unit(rng.standard_normal(D))
    row = replace(row, visual=vector, frame_vectors=vector[None], transcript="entirely unheard of")
    queries: tuple[Callable[[], list[Hit]], ...] = (
        lambda: search(large, SimilarTo(vector), k=1),
        lambda: search(large, Semantic(vector, speech=False), k=1),
        lambda: search(large, SimilarTo(vector), k=1, only=Filter(label="new")),
        lambda: search(large, Words('"unheard of"'), k=1),
    )
    large.upsert([row])
    assert [paths(ask()) for ask in queries] == [["new/one"]] * 4
    large.upkeep(force=True)
    assert [paths(ask()) for ask in queries] == [["new/one"]] * 4
    large.remove(["new/one"])
    assert all("new/one" not in paths(ask()) for ask in queries)


def test_a_filter_counts_once_it_leaves_out_anything(large: Store) -> None:
    query = SimilarTo.of(large.rows(["000007"])["000007"])
    assert paths(search(large, query, k=1)) == ["000007"]
    large.set_offline(["000007"], offline=True)
    assert "000007" not in paths(search(large, query, k=10))
    large.set_offline(["000007"], offline=False)
    assert paths(search(large, query, k=1)) == ["000007"]


def test_who_asks_for_speech_finds_nobody_silent(large: Store) -> None:
    """Also where there are more to be found than those that are at all alike."""
    query = similar_to(large, "000003")
    assert query is not None
    assert query.speech is not None
    for k in (10, 300):
        for asked in (SimilarTo(None, query.speech), Semantic(query.speech, picture=False)):
            found = paths(search(large, asked, k=k, only=Filter(label="l3")))
            assert len(found) == k
            assert not [path for path in found if int(path) % SILENT == 0]


def test_copies_come_in_path_order_also_where_they_are_many(large: Store) -> None:
    """More than are asked of the index at first, in pictures and speech at once."""
    vectors = unit(np.random.default_rng(9).standard_normal((2, D)))
    names = [f"copy/{i:03}" for i in np.random.default_rng(1).permutation(150)]
    copy = replace(make_row("copy", 3, d=D, frames=1, windows=1), visual=vectors[0])
    copy = replace(copy, speech=vectors[1], frame_vectors=vectors[:1], speech_vectors=vectors[1:])
    large.upsert([replace(copy, path=name) for name in names])
    for is_indexed in (False, True):
        if is_indexed:
            large.upkeep(force=True)
        for query in (
            Semantic(vectors[0]),
            Semantic(vectors[1]),
            SimilarTo(vectors[0], vectors[1]),
        ):
            assert paths(search(large, query, k=100)) == sorted(names)[:100]
    large.remove(names)


def test_rows_are_replaced_not_doubled_with_an_index_of_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "ROWS_TO_INDEX_PATHS", 100)
    monkeypatch.setattr(keyed, "KEYS_LOOKED_UP", 20)
    store = Store.open(str(tmp_path / "store"), writer=True)
    rows = [make_row(f"{i:03}", i) for i in range(99)]
    store.upsert(rows)
    store.upkeep(force=True)
    assert "path" not in indexes(store)
    store.upsert([make_row("other's", 3)])
    store.upkeep(force=True)
    assert indexes(store)["path"] == "BTree"
    # Looked up; read; looked up again, when they are no longer in the index.
    for turn, again in enumerate((rows[:20], rows, rows[:20])):
        store.upsert([replace(row, transcript=f"turn {turn}") for row in again])
        store.upsert([make_row(f"new {turn}", turn)])
        found = store.rows([row.path for row in again]).values()
        assert [row.transcript for row in found] == [f"turn {turn}"] * len(again)
    assert len(store.known()) == store.facts().rows == 103
    assert store.remove(["000", "new 1", "not there"]) == 2
    store.upkeep(force=True)
    assert len(store.known()) == store.facts().rows == 101
    assert set(store.rows(["000", "001", "new 2", "other's"])) == {"001", "new 2", "other's"}


def test_an_index_in_many_segments_is_rebuilt(
    large: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MOST_SEGMENTS", 3)
    seen = []
    for i in range(5):
        large.upsert([make_row(f"piece/{i}", i, d=D, frames=1, windows=1)])
        large.upkeep(force=True)
        table = large.videos.table
        assert table is not None
        (vectors,) = (each for each in table.list_indices() if each.columns == ["embedding"])
        seen.append(vectors.num_segments or 0)
    assert max(seen) <= 3
    assert seen[-1] < max(seen) or len(set(seen)) > 1


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]
