"""The very words: found where they are said, in any script, and no more when they have changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import lancedb
import pytest
from lancedb.index import FTS

from store.errors import StoreError
from store.retrieval.filter import Filter
from store.retrieval.hits import Hit, nothing_matches
from store.retrieval.queries import Words
from store.retrieval.search import search
from store.schema import Segment
from store.table.store import Store
from tests.support.rows import assert_same, failed, make_row


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What five videos say. Do not change it."""
    store = Store.open(str(tmp_path_factory.mktemp("spoken") / "store"), writer=True)
    said = {
        "kennedy": ["And so, my fellow Americans,", "ask not what your", "country can do for you."],
        "german": ["Über die Brücke gehen", "und dann die Treppe hinunter"],
        "chinese": ["我们今天去北京大学", "图书馆看书"],
        "arabic": ["السلام عليكم", "هذه المدرسة"],
        "fox": ["the brown quick fox", "you can ask the country"],
    }
    for name, texts in said.items():
        segments = tuple(Segment(float(i), i + 1.0, text) for i, text in enumerate(texts))
        row = replace(make_row(name, len(name)), segments=segments, transcript=" ".join(texts))
        store.upsert([row])
    return store


@pytest.mark.parametrize(
    ("words", "found", "start", "end"),
    [
        ("fellow", ["kennedy"], 0.0, 1.0),
        ("FELLOW americans", ["kennedy"], 0.0, 1.0),
        ('"your country can"', ["kennedy"], 1.0, 3.0),  # over two segments
        ('"quick brown"', [], None, None),
        ('“brown quick” "can ask"', ["fox"], 0.0, 1.0),
        ("brucke", ["german"], 0.0, 1.0),
        ("Treppe Brücke", ["german"], 0.0, 1.0),
        ("北京大学", ["chinese"], 0.0, 1.0),
        ("大学北京", [], None, None),
        ("图书馆 今天", ["chinese"], None, None),
        ("المدرسة", ["arabic"], 1.0, 2.0),
        ("brown 北京", [], None, None),
        ("it's; DROP TABLE", [], None, None),
    ],
)
def test_words_and_phrases_are_found_where_they_are_said(
    spoken: Store, words: str, found: list[str], start: float | None, end: float | None
) -> None:
    hits = search(spoken, Words(words))
    assert paths(hits) == found
    for hit in hits:
        assert (hit.match, hit.good, hit.why.kind) == (100, True, "words")
        if start is not None:
            assert (hit.why.time, hit.why.end) == (start, end)


def test_some_of_the_words_will_do_when_asked(spoken: Store) -> None:
    words = "brown country elephant"
    assert search(spoken, Words(words)) == []
    fox, kennedy = search(spoken, Words(words, some=True))
    assert (fox.path, fox.match, fox.good) == ("fox", pytest.approx(200 / 3), False)
    assert (kennedy.path, kennedy.match) == ("kennedy", pytest.approx(100 / 3))
    assert nothing_matches([fox, kennedy])


def test_words_are_found_at_once_and_no_more_when_they_have_changed(
    spoken: Store, tmp_path: Path
) -> None:
    spoken = Store.open(str(shutil.copytree(spoken.uri, tmp_path / "own")), writer=True)
    for upkeep in (False, True):
        spoken.upsert([replace(make_row("new", 9), transcript="a purple zebra")])
        assert paths(search(Store.open(spoken.uri), Words('"purple zebra"'))) == ["new"]
        spoken.upsert([replace(make_row("new", 9), transcript="a purple cow")])
        if upkeep:
            assert spoken.upkeep(force=True)
        assert search(spoken, Words("zebra")) == []
        assert spoken.remove(["new"]) == 1
        assert search(spoken, Words("cow")) == []


@pytest.mark.parametrize("nothing", ["", "  ", '""', "?!"])
def test_words_without_a_word_cannot_be_asked_for(nothing: str) -> None:
    with pytest.raises(ValueError, match="no word"):
        Words(nothing)


# What is said, and what is asked.
WAYS = (
    ("ж" * 30, "ж" * 30),  # 60 bytes
    ("अन्तर्राष्ट्रीयकरण है", "अन्तर्राष्ट्रीयकरण"),  # 54 bytes
    ("x" * 300, "x" * 300),
    ("caf\u00e9", "cafe\u0301"),
    ("cafe\u0301", "caf\u00e9"),
    ("cafe\u0301", "CAFE"),
    ("don\u2019t stop", "don't"),
    ("don't stop", "don\u2019t"),
    ("\u0130stanbul", "istanbul"),
    ("istanbul", "\u0130STANBUL"),
    ("всё ещё", "все"),
    ("все", "\u0412\u0421\u0415\u0308"),
    ("пи\u0301ть", "пить"),
    ("и\u0306ид", "йид"),
    ("ΕΛΛΗΝΙΚΆΣ", "ελληνικας"),
    ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국"),
    ("Straße", "STRASSE"),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two videos of each of the WAYS, in a folder of its number. Do not change it."""
    store = Store.open(str(tmp_path_factory.mktemp("written") / "store"), writer=True)
    rows = []
    for number, (said, _) in enumerate(WAYS):
        segments = (Segment(0.0, 1.0, "before"), Segment(1.0, 2.0, said))
        row = make_row(f"{number}/it", 2 * number)
        row = replace(row, transcript=f"before {said}", segments=segments)
        rows += [row, make_row(f"{number}/other", 2 * number + 1)]
    store.upsert(rows)
    return store


@pytest.mark.parametrize("number", range(len(WAYS)), ids=[asked for _, asked in WAYS])
def test_every_way_to_write_a_word_finds_it(written: Store, number: int) -> None:
    only, asked = Filter(label=f"{number}"), WAYS[number][1]
    for words in (asked, f'"before {asked}"'):
        hits = search(written, Words(words), only=only)
        assert [(hit.path, hit.match) for hit in hits] == [(f"{number}/it", 100)]
        assert hits[0].why.time == (1.0 if words == asked else 0.0)


@pytest.mark.parametrize(("said", "asked"), [("мои", "мой"), ("їжа", "іжа"), ("can", "can't")])
def test_words_of_other_letters_are_others(tmp_path: Path, said: str, asked: str) -> None:
    with Store.open(str(tmp_path), writer=True) as store:
        store.upsert([replace(make_row("it", 1), transcript=said)])
        assert search(store, Words(asked)) == []


def test_the_words_of_an_earlier_version_are_indexed_once(tmp_path: Path) -> None:
    """Its tables have no column of words, and an index of the transcripts that drops long ones."""
    uri = str(tmp_path)
    with Store.open(uri, writer=True) as store:
        rows = [replace(make_row("long", 1), transcript="ж" * 30), make_row("mute", 2, windows=0)]
        store.upsert(rows)
        store.record_failures([failed("broken")])
    for name in ("videos", "failures"):
        table = lancedb.connect(uri).open_table(name)
        if name == "videos":
            table.drop_index("words_idx")
            table.drop_columns(["words"])
            old = FTS(base_tokenizer="icu", stem=False, remove_stop_words=False, with_position=True)
            table.create_index("transcript", config=old)
        table.update_field_metadata({"path": "path", "metadata": {"schema_version": "1"}})
    with pytest.raises(StoreError, match=r"version 1 .*run `scan` once"):
        Store.open(uri)
    for _ in range(2):
        with Store.open(uri, writer=True) as store:
            assert paths(search(store, Words("ж" * 30))) == ["long"]
            assert_same(store.rows(["long"])["long"], rows[0])
            videos = store.videos.table
            assert videos is not None
            assert [index.columns for index in videos.list_indices()] == [["words"]]
            assert [one.path for one in store.failures()] == ["broken"]
            store.upsert([replace(make_row("new", 3), transcript="caf\u00e9")])
            assert paths(search(store, Words("cafe\u0301"))) == ["new"]
