"""The very words: found where they are said, in any script, and no more when they have changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from store.retrieval.hits import Hit, nothing_matches
from store.retrieval.queries import Words
from store.retrieval.search import search
from store.schema import Segment
from store.table.store import Store
from tests.support.rows import make_row


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.fixture
def spoken(tmp_path: Path) -> Store:
    store = Store.open(str(tmp_path / "spoken"), writer=True)
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


def test_words_are_found_at_once_and_no_more_when_they_have_changed(spoken: Store) -> None:
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
