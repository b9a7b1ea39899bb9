"""A filter leaves out what it says, and other recipes and what is away are never found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest

from store.retrieval.filter import Filter
from store.retrieval.queries import Semantic, SimilarTo, Words
from store.retrieval.search import search
from store.table.store import Store
from tests.support.rows import make_row
from tests.support.searches import COUNT, paths


def test_what_is_left_out(filled: Store, vector: np.ndarray) -> None:
    filled.upsert(
        [
            replace(make_row("y/other", 1), visual=vector, visual_recipe="clip B"),
            replace(make_row("y/heard", 2), visual=vector, speech_recipe="clip A, whisper B"),
            make_row("y/same", 3),
        ]
    )
    filled.set_offline(["x/01"], offline=True)
    recipes = {"visual_recipe": "clip A", "speech_recipe": "clip A, whisper A"}
    for query in (SimilarTo(vector, vector, **recipes), Semantic(vector, **recipes)):
        found = paths(search(filled, query, k=100))
        assert len(found) == COUNT  # 60, without the offline one, and with y/same
        assert not {"y/other", "y/heard", "x/01"} & set(found)
        assert paths(search(filled, query, only=Filter(label="y"))) == ["y/same"]
        assert search(filled, query, only=Filter(label="it's")) == []
    assert "x/01" not in paths(search(filled, Words("words"), k=100))


def test_filters(filled: Store, vector: np.ndarray) -> None:
    modified = datetime(2024, 3, 1, 12, tzinfo=UTC)
    ns = int(modified.timestamp()) * 1_000_000_000
    filled.upsert(
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
            assert paths(search(filled, query, only=only, k=COUNT)) == found


def test_labels_and_languages_are_found_however_they_are_written(filled: Store) -> None:
    names = ["Ame\u0301lie/1", "Am\u00e9lie/2", "\ud55c/3", "\u1112\u1161\u11ab/4"]
    filled.upsert(replace(make_row(name, i), language="de") for i, name in enumerate(names))
    for label, found in (
        ("Am\u00e9lie", names[:2]),
        ("Ame\u0301lie", names[:2]),
        ("\u1112\u1161\u11ab", names[2:]),
    ):
        hits = search(filled, Words("words"), only=Filter(label=label))
        assert sorted(paths(hits)) == sorted(found)
    hits = search(filled, Words("words"), only=Filter(language="DE"))
    assert sorted(paths(hits)) == sorted(names)


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
