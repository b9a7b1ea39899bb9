"""Tables of other versions, of somebody else, and in places that cannot be one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from store.errors import StoreError
from store.retrieval.queries import Semantic
from store.retrieval.search import search
from store.schema import Segment
from store.table import migrations
from store.table.arrow import VERSION_KEY
from store.table.store import Store
from tests.support.rows import assert_same, make_row

MOMENTS = ["moment_times", "moment_vectors", "moments_recipe"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), writer=True)


def test_a_table_of_another_version_is_refused(store: Store) -> None:
    store.upsert([make_row("a")])
    table = lancedb.connect(store.uri).open_table("videos")
    table.update_field_metadata({"path": "path", "metadata": {VERSION_KEY.decode(): "99"}})
    store.close()
    with pytest.raises(StoreError, match=r"version 99.*needs version 4.*another store\.uri"):
        Store.open(store.uri, writer=True)


def test_a_table_of_somebody_else_is_refused(tmp_path: Path) -> None:
    lancedb.connect(tmp_path).create_table("videos", pa.table({"x": [1]}))
    with pytest.raises(StoreError, match="no version"):
        Store.open(str(tmp_path))


def test_a_writer_migrates_and_a_reader_says_what_is_needed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert([make_row("a")])
    table = lancedb.connect(store.uri).open_table("videos")
    table.update_field_metadata({"path": "path", "metadata": {VERSION_KEY.decode(): "0"}})
    moved: list[str] = []
    monkeypatch.setitem(migrations.MIGRATIONS, 0, lambda name, table: moved.append(name))
    with pytest.raises(StoreError, match=r"version 0.*run `scan` once"):
        Store.open(store.uri)
    store.close()
    for _ in range(2):
        with Store.open(store.uri, writer=True) as again:
            assert again.known().keys() == {"a"}
    assert moved == ["videos"]
    again = Store.open(store.uri, writer=True)
    again.upsert([make_row("a", 5)])
    assert again.known()["a"].content_hash == "hash-5"


@pytest.mark.parametrize(
    ("version", "lacking"), [("2", [*MOMENTS, "translation"]), ("3", ["translation"])]
)
def test_a_store_of_an_older_version_is_read_as_it_is_and_gets_its_columns_when_it_is_written(
    store: Store, version: str, lacking: list[str]
) -> None:
    row = make_row("a")
    store.upsert([row])
    store.close()
    for name in ("videos", "failures", "memory"):
        folder = Path(store.uri) / f"{name}.lance"
        if folder.exists():
            table = lancedb.connect(store.uri).open_table(name)
            if name == "videos":
                table.drop_columns(lacking)
            key = table.schema.names[0]
            table.update_field_metadata({"path": key, "metadata": {VERSION_KEY.decode(): version}})
    with Store.open(store.uri) as reader:
        assert_same(reader.rows(["a"])["a"], row)
        assert reader.known()["a"].moments_recipe is None
        assert [hit.path for hit in search(reader, Semantic(row.frame_vectors[0]))] == ["a"]
    with Store.open(store.uri, writer=True) as writer:
        assert_same(writer.rows(["a"])["a"], row)
        vectors = row.frame_vectors[:2]
        english = (Segment(0.0, 1.5, "in English"),)
        longer = replace(
            row, moment_times=np.arange(2.0), moment_vectors=vectors, translation=english
        )
        writer.upsert([longer])
        assert_same(writer.rows(["a"])["a"], longer)


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StoreError, match="file"):
        Store.open(str(file), writer=True)


@pytest.mark.parametrize("writer", [False, True])
def test_a_place_that_cannot_be_looked_at_is_an_error_of_the_store(
    tmp_path: Path, writer: bool
) -> None:
    """Such as a folder without permission to enter it, which hides from no superuser."""
    with pytest.raises(StoreError, match="store"):
        Store.open(str(tmp_path / ("n" * 300) / "store"), writer=writer)


def test_any_bytes_may_be_where_the_writer_names_itself(store: Store) -> None:
    (Path(store.uri) / "writer.pid").write_bytes(b"\xff")
    with pytest.raises(StoreError, match="being written by process \\(unknown\\)"):
        Store.open(store.uri, writer=True)
