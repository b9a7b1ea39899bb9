"""What the store keeps, it gives back; what it refuses, it says."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.errors import StoreError
from store.schema import Segment
from store.table.arrow import rows_from_arrow, rows_to_arrow
from store.table.keyed import KeyedTable
from store.table.lance import Database
from store.table.store import Store
from tests.support.disks import largest_file
from tests.support.rows import NOW, ODD_PATHS, D, assert_same, failed, make_row


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), writer=True)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
pieces = st.lists(st.builds(Segment, st.floats(0, 1e5), st.floats(0, 1e5), texts), max_size=3).map(
    tuple
)


@given(
    st.lists(
        st.tuples(texts.filter(bool), st.integers(0, 99), st.integers(0, 3), pieces, pieces),
        min_size=1,
        max_size=4,
    )
)
def test_rows_survive_arrow(values: list[tuple[str, int, int, Any, Any]]) -> None:
    rows = [
        replace(make_row(path, seed, D, frames, len(windows)), segments=segments,
                speech_windows=windows, transcript=path)
        for path, seed, frames, segments, windows in values
    ]  # fmt: skip
    for kept, row in zip(rows_from_arrow(rows_to_arrow(rows)), rows, strict=True):
        assert_same(kept, row)


@given(st.dictionaries(texts.filter(bool), st.integers(0, 9), min_size=1, max_size=5))
@settings(
    max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow]
)  # each makes a store
def test_any_path_is_a_key(seeds: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(folder, writer=True) as store:
        store.upsert(make_row(path, seed) for path, seed in seeds.items())
        assert {p: k.content_hash for p, k in store.known().items()} == {
            path: f"hash-{seed}" for path, seed in seeds.items()
        }
        gone = next(iter(seeds))
        assert store.rows([gone])[gone].path == gone
        assert store.remove([gone]) == 1
        assert store.known().keys() == seeds.keys() - {gone}


def test_rows_come_back_whole(store: Store) -> None:
    rows = [make_row("soccer/1.mp4", 1), make_row("2.mp4", 2, frames=0, windows=0)]
    rows += [make_row(path, i) for i, path in enumerate(ODD_PATHS, 3)]
    store.upsert(rows)
    kept = store.rows([row.path for row in rows] + ["unknown.mp4"])
    assert kept.keys() == {row.path for row in rows}
    for row in rows:
        assert_same(kept[row.path], row)


def test_what_is_known_of_a_row(store: Store) -> None:
    store.upsert([make_row("soccer/1.mp4", 1), make_row("2.mp4", 2)])
    known = store.known()
    assert known["soccer/1.mp4"].label == "soccer"
    assert known["2.mp4"].label is None
    assert known["2.mp4"].recipe == ("clip A", "whisper A", "clip A, whisper A")
    assert (known["2.mp4"].size, known["2.mp4"].mtime_ns) == (1002, 1_700_000_000_123_456_791)
    assert not known["2.mp4"].offline


def test_a_store_that_does_not_exist_reads_as_empty(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "none")) as store:
        assert store.known() == {}
        assert store.rows(["a"]) == {}
        assert store.failures() == []
        assert store.get_note("key") is None
        facts = store.facts()
        assert (facts.rows, facts.labels, facts.fragments, facts.bytes_on_disk) == (0, {}, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_is_written_after_it_opened(tmp_path: Path) -> None:
    reader = Store.open(str(tmp_path / "store"))
    writer = Store.open(str(tmp_path / "store"), writer=True)
    writer.upsert([make_row("a")])
    assert reader.known().keys() == {"a"}
    writer.upsert([make_row("b")])
    assert reader.known().keys() == {"a", "b"}


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    reader = Store.open(str(tmp_path / "store"))
    for write in (
        lambda: reader.upsert([make_row("a")]),
        lambda: reader.remove(["a"]),
        lambda: reader.upkeep(),
    ):
        with pytest.raises(StoreError, match="for reading only"):
            write()


def test_the_last_of_one_path_counts(store: Store) -> None:
    store.upsert([make_row("a", 1), make_row("a", 2)])
    assert store.known()["a"].content_hash == "hash-2"
    store.upsert([make_row("a", 3), make_row("b", 3), make_row("a", 4)])
    assert {path: known.content_hash for path, known in store.known().items()} == {
        "a": "hash-4",
        "b": "hash-3",
    }


def test_a_second_writer_is_refused_with_the_process_of_the_first(store: Store) -> None:
    store.upsert([make_row("a")])
    with pytest.raises(StoreError, match=f"being written by process {os.getpid()}"):
        Store.open(store.uri, writer=True)
    assert Store.open(store.uri).known().keys() == {"a"}, "reading goes on"
    store.close()
    with Store.open(store.uri, writer=True) as second:
        second.upsert([make_row("b")])


def test_two_machines_that_write_one_new_path_leave_one_row(tmp_path: Path) -> None:
    """The lock holds on one machine; what keeps rows single beyond it is the primary key."""
    tables = [KeyedTable(Database(str(tmp_path), writer=True), "videos", "path") for _ in range(2)]
    tables[0].upsert(rows_to_arrow([make_row("first")]))
    start = threading.Barrier(2)

    def write(table: KeyedTable) -> None:
        for i in range(8):
            start.wait()
            table.upsert(rows_to_arrow([make_row(f"p{i}")]))

    threads = [threading.Thread(target=write, args=[each]) for each in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Store.open(str(tmp_path)).facts().rows == 9


def test_vectors_of_another_size_are_refused(store: Store) -> None:
    store.upsert([make_row("a", d=8)])
    with pytest.raises(StoreError, match=r"b: .*12 numbers .*have 8.*another store\.uri"):
        store.upsert([make_row("b", d=12)])
    with pytest.raises(StoreError, match="12 numbers"):
        Store.open(store.uri + "2", writer=True).upsert([make_row("b", d=8), make_row("c", d=12)])


def test_a_reason_may_name_a_file_of_any_bytes(store: Store) -> None:
    store.record_failures([failed("a", reason="/disk\udcff/a: broken"), failed("b")])
    assert [one.reason for one in store.failures()] == ["/disk\\udcff/a: broken", "no video stream"]


def test_failures_count_attempts_of_the_same_file(store: Store) -> None:
    store.record_failures([failed("b"), failed("a", content_hash="h")])
    store.record_failures([failed("b", reason="again")])
    store.record_failures([failed("a", size=8)])
    a, b = store.failures()
    assert (a.path, a.attempts, a.content_hash, a.size) == ("a", 1, None, 8)
    assert (b.path, b.attempts, b.reason, b.failed_at) == ("b", 2, "again", NOW)


def test_failures_are_forgotten(store: Store) -> None:
    assert store.forget_failures() == 0
    store.record_failures([failed(path) for path in ("a", "b", "c'd")])
    assert store.forget_failures(["c'd", "unknown"]) == 1
    assert store.forget_failures() == 2
    assert store.failures() == []


def test_memory(store: Store) -> None:
    store.set_note("root", "one")
    store.set_note("root", "two")
    assert store.get_note("root") == "two"
    assert store.get_note("other") is None


def test_offline_rows_and_facts(store: Store) -> None:
    store.upsert([make_row(path, i) for i, path in enumerate(["x/1", "x/2", "y/1", "3"])])
    store.upsert([replace(make_row("4", 9), visual_recipe="clip B")])
    store.record_failures([failed("bad")])
    assert store.set_offline(["x/2", "unknown"], offline=True) == 1
    facts = store.facts()
    assert (facts.rows, facts.offline, facts.failures) == (5, 1, 1)
    assert facts.labels == {"x": 1, "y": 1, None: 2}
    assert facts.recipes == {
        ("clip A", "whisper A", "clip A, whisper A"): 3,
        ("clip B", "whisper A", "clip A, whisper A"): 1,
    }
    assert facts.bytes_on_disk == sum(
        file.stat().st_size for file in Path(store.uri).rglob("*") if file.is_file()
    )
    assert store.known()["x/2"].offline
    store.set_offline(["x/2"], offline=False)
    assert store.facts().offline == 0


def test_nothing_to_do_makes_no_version(store: Store) -> None:
    store.upsert([])
    store.record_failures([])
    assert store.remove([]) == 0
    assert list(Path(store.uri).glob("*.lance")) == []


def test_threads_read_while_one_writes_and_compacts(store: Store) -> None:
    store.upsert([make_row("0")])
    done, problems = threading.Event(), []

    def read() -> None:
        seen = 0
        while not done.is_set():
            count = len(store.known())
            if count < seen:
                problems.append((seen, count))
            seen = count

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(8):
        store.upsert([make_row(f"{i}", i), make_row(f"x{i}", i)])
        store.upkeep(force=i % 4 == 3)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(store.known()) == 16


def test_a_full_disk_is_an_error_and_the_table_stays(store: Store) -> None:
    store.upsert([make_row("before")])
    with (
        largest_file(1_000_000),
        pytest.raises(StoreError, match=r"(?s)cannot be written.*make room"),
    ):
        store.upsert([replace(make_row("big"), thumbnail=bytes(3_000_000))])
    store.upsert([make_row("after")])
    assert store.known().keys() == {"before", "after"}


def test_what_is_known_of_many_is_read_whole(store: Store) -> None:
    one = rows_to_arrow([make_row("label/x")])
    count = 30_000
    many = one.take(pa.array(np.zeros(count, np.int64)))
    paths = pa.array([f"label/{i}.mp4" for i in range(count)])
    store.videos.upsert(many.set_column(0, one.schema.field(0), paths))
    known = store.known()
    assert len(known) == count
    assert known["label/29999.mp4"].label == "label"
