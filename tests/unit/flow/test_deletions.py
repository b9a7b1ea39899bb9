"""Rows are removed for files that were deleted, not for a folder that is not the one before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.flow.deletions import FEW, DeletionGuard
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
    guard = DeletionGuard(store, folder(tmp_path / "videos"), 0.2)
    assert guard.about(0, 0) == ""
    assert guard.about(FEW, FEW + 1) == ""
    assert guard.about(FEW + 1, 1000) == ""


def test_many_at_once_are(store: Store, tmp_path: Path) -> None:
    guard = DeletionGuard(store, folder(tmp_path / "videos"), 0.2)
    assert "store.max_vanished = 0.2" in guard.about(FEW + 1, 100)


def test_an_empty_folder_is(store: Store, tmp_path: Path) -> None:
    collection = folder(tmp_path / "videos")
    guard = DeletionGuard(store, collection, 0.2)
    (collection.root / "one.mp4").unlink()
    assert "empty or missing" in guard.about(1, 100)


def test_another_folder_is_once(store: Store, tmp_path: Path) -> None:
    first, second = folder(tmp_path / "videos"), folder(tmp_path / "others")
    assert DeletionGuard(store, first, 0.2).about(1, 100) == ""
    assert "another folder" in DeletionGuard(store, second, 0.2).about(1, 100)
    assert DeletionGuard(store, second, 0.2).about(1, 100) == ""
