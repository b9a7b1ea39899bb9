"""What a list shows is what plain Python would choose from the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.web.overview import Overview
from pipeline.web.records import Filters
from store.retrieval.filter import Filter
from store.schema import Row
from store.table.store import Store
from tests.support.rows import ODD_PATHS, make_row

LANGUAGES = (None, "en", "de")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    paths = [*ODD_PATHS, "cafe\u0301/1.mp4", *(f"f{n % 3}/{n}.mp4" for n in range(30))]
    return [
        replace(
            make_row(path, seed, windows=seed % 2),
            duration_seconds=float(seed % 7),
            language=LANGUAGES[seed % 3],
            mtime_ns=seed % 5 * 10**18,
            offline=seed % 4 == 0,
        )
        for seed, path in enumerate(paths)
    ]


@pytest.fixture(scope="module")
def overview(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overview]:
    with Store.open(str(tmp_path_factory.mktemp("store")), writer=True) as store:
        store.upsert(rows)
        yield Overview(store.snapshot())


LABELS = st.lists(st.sampled_from(["f0", "f1", "caf\xe9", "cafe\u0301", "nothing"]), min_size=1)
ONLY = st.builds(
    Filter,
    label=st.none() | LABELS.map(tuple),
    language=st.sampled_from([None, "en", "EN", "fr"]),
    min_seconds=st.sampled_from([None, 0.0, 3.0]),
    max_seconds=st.sampled_from([None, 3.0, 5.0]),
    since=st.sampled_from([None, datetime.fromtimestamp(2e9, UTC)]),
)
FILTERS = st.builds(Filters, ONLY | st.just(Filter(unlabeled=True)), st.booleans())


@given(filters=FILTERS, order=st.sampled_from(["path", "new", "long"]))
def test_filters_and_orders_are_those_of_plain_python(
    overview: Overview, rows: list[Row], filters: Filters, order: str
) -> None:
    value = {"path": lambda row: 0, "new": lambda row: -row.mtime_ns,
             "long": lambda row: -row.duration_seconds}[order]  # fmt: skip
    wanted = sorted(
        (row for row in rows if _fits(row, filters)),
        key=lambda row: (value(row), row.path.encode()),
    )
    found = overview.videos(overview.select(filters, order))
    assert [video.path for video in found] == [row.path for row in wanted]


def _fits(row: Row, filters: Filters) -> bool:
    only = filters.only
    names = {normalize("NFC", name) for name in only.label or ()}
    return (
        row.offline == filters.offline
        and (not names or normalize("NFC", row.label or "") in names)
        and not (only.unlabeled and row.label)
        and (only.language is None or row.language == only.language.lower())
        and (only.min_seconds is None or row.duration_seconds >= only.min_seconds)
        and (only.max_seconds is None or row.duration_seconds <= only.max_seconds)
        and (only.since is None or row.mtime_ns >= only.since.timestamp() * 1e9)
    )


def test_each_row_has_a_key_that_tells_nothing_of_its_path(overview: Overview) -> None:
    assert len(set(overview.keys)) == len(overview)
    assert all(key.isalnum() and len(key) == 20 for key in overview.keys)
    for place, key in enumerate(overview.keys):
        assert overview.place_of_key[key] == place
        assert overview.place_of_path[overview.paths[place]] == place


def test_the_mark_of_what_is_shown_stays_when_files_move(tmp_path: Path, rows: list[Row]) -> None:
    with Store.open(str(tmp_path / "store"), writer=True) as store:
        store.upsert(rows)
        first = Overview(store.snapshot())
        store.upsert([replace(rows[1], path="elsewhere/1.mp4", label="elsewhere")])
        store.remove([rows[1].path])
        moved = Overview(store.snapshot(), first)
        assert moved.what_is_shown == first.what_is_shown
        assert moved.key_of_path == Overview(store.snapshot()).key_of_path
        store.remove([rows[2].path])
        assert Overview(store.snapshot(), moved).what_is_shown != first.what_is_shown


def test_without_a_table_there_is_nothing() -> None:
    overview = Overview(None)
    assert (len(overview), overview.folders, overview.videos(overview.select(Filters()))) == (
        0,
        {},
        [],
    )
