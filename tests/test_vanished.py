"""Rows are removed for files that were deleted, not for a folder that is not the one before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.flow.deletions import FEW, Doubt
from pipeline.source.listing import Collection
from store.table.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store"), writer=True) as opened:
        yield opened


def folder(path: Path) -> Collection:
    path.mkdir()
    (path / "one.mp4").touch()
    return Collection(path, ("mp4",))


def test_a_few_deleted_files_are_no_cause_for_doubt(store: Store, tmp_path: Path) -> None:
    doubt = Doubt(store, folder(tmp_path / "videos"), 0.2)
    assert doubt.about(0, 0) == ""
    assert doubt.about(FEW, FEW + 1) == ""
    assert doubt.about(FEW + 1, 1000) == ""


def test_many_at_once_are(store: Store, tmp_path: Path) -> None:
    doubt = Doubt(store, folder(tmp_path / "videos"), 0.2)
    assert "store.max_vanished = 0.2" in doubt.about(FEW + 1, 100)


def test_an_empty_folder_is(store: Store, tmp_path: Path) -> None:
    collection = folder(tmp_path / "videos")
    doubt = Doubt(store, collection, 0.2)
    (collection.root / "one.mp4").unlink()
    assert "empty or missing" in doubt.about(1, 100)


def test_another_folder_is_once(store: Store, tmp_path: Path) -> None:
    first, second = folder(tmp_path / "videos"), folder(tmp_path / "others")
    assert Doubt(store, first, 0.2).about(1, 100) == ""
    assert "another folder" in Doubt(store, second, 0.2).about(1, 100)
    assert Doubt(store, second, 0.2).about(1, 100) == ""
