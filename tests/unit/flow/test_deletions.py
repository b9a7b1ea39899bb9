"""Rows are removed for files that were deleted, not for those whose drive may be away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.flow.catalog import Catalog
from pipeline.flow.deletions import FEW, DeletionGuard
from pipeline.source.listing import Collection
from store.schema import Recipe
from store.table.store import Store
from tests.support.disks import small_disk
from tests.support.rows import make_row


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store"), writer=True) as opened:
        yield opened


@pytest.fixture
def guard(store: Store, root: Path) -> Callable[..., DeletionGuard]:
    """`guard("a.mp4", ...)`: one for these rows, in a folder that is not empty."""
    (root / "notes.txt").touch()

    def make(*paths: str, root: Path = root) -> DeletionGuard:
        store.upsert([make_row(path) for path in paths])
        catalog = Catalog(store.known(), {}, Recipe("clip", "whisper", "clip whisper"))
        return DeletionGuard(store, Collection(root, ("mp4",)), catalog, max_share=0.2)

    return make


Guard = Callable[..., DeletionGuard]


def numbered(count: int, folder: str = "") -> list[str]:
    return [f"{folder}{number:03}.mp4" for number in range(count)]


def test_a_few_deleted_files_are_no_cause_for_doubt(guard: Guard) -> None:
    paths = numbered(FEW + 1)
    assert guard(*paths).judge(paths[:FEW]) == (paths[:FEW], {})
    assert guard(*paths).judge([]) == ([], {})


def test_many_at_once_are(guard: Guard) -> None:
    paths = numbered(FEW + 1)
    reason = "that is more than store.max_vanished = 0.2 of all"
    assert guard(*paths).judge([*paths, "failed.mp4"]) == (["failed.mp4"], {reason: paths})


def test_a_file_that_is_there_is_not_missing(guard: Guard, root: Path) -> None:
    (root / "a.mp4").touch()
    assert guard("a.mp4", "b.mp4").judge(["a.mp4", "b.mp4"]) == (["b.mp4"], {})


@pytest.mark.parametrize("end", ["emptied", "removed"])
def test_an_empty_folder_is_a_mount_point(guard: Guard, root: Path, end: str) -> None:
    judge = guard("a.mp4").judge
    (root / "notes.txt").unlink()
    if end == "removed":
        root.rmdir()
    assert judge(["a.mp4"]) == ([], {f"{root} is empty or missing": ["a.mp4"]})


def test_what_the_system_does_not_say_is_not_taken_for_deleted(guard: Guard, root: Path) -> None:
    (root / "loop").symlink_to(root / "loop")
    reason = "whether they exist is unknown (Too many levels of symbolic links)"
    missing = ["a.mp4", "loop/b.mp4"]
    assert guard(*missing).judge(missing) == (["a.mp4"], {reason: ["loop/b.mp4"]})


@pytest.mark.parametrize("link", ["pets", "pets/deep", "pets/deep/b.mp4"])
def test_a_link_to_nothing_leads_to_a_drive_that_is_away(
    guard: Guard, root: Path, link: str
) -> None:
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(root.with_name("away"))
    missing = ["a.mp4", "pets/deep/b.mp4"]
    reason = "they are behind symbolic links that lead nowhere"
    assert guard(*missing).judge(missing) == (["a.mp4"], {reason: ["pets/deep/b.mp4"]})


def test_only_what_was_missing_in_another_folder_is_doubted(
    guard: Guard, root: Path, outside: Path
) -> None:
    guard("a.mp4", "b.mp4", "c.mp4")
    for name in ("b.mp4", "c.mp4"):
        (outside / name).touch()
    moved = guard(root=outside)
    (outside / "b.mp4").unlink()  # while it runs: a deletion as any other
    reason = f"{outside} is not the folder or drive that it was before"
    assert moved.judge(["a.mp4", "b.mp4"]) == (["b.mp4"], {reason: ["a.mp4"]})
    assert guard(root=outside).judge(["a.mp4"]) == (["a.mp4"], {})


def test_an_empty_folder_is_a_drive_that_is_away_only_if_it_was_one(
    guard: Guard, root: Path
) -> None:
    paths = ["drive/a.mp4", "drive/deep/b.mp4", "folder/c.mp4"]
    reason = "drive, which was a drive of its own, is empty or missing"
    (root / "folder").mkdir()
    with small_disk(root / "drive", 1):
        guard(*paths).note_drives()
    for _ in range(2):  # and it stays noted while it is away
        judged = guard(*paths)
        assert judged.judge(paths) == (paths[2:], {reason: paths[:2]})
        judged.note_drives()
    (root / "drive/new.mp4").touch()
    guard(*paths).note_drives()  # a folder like any other by now
    (root / "drive/new.mp4").unlink()
    assert guard(*paths).judge(paths) == (paths, {})


# In scans and watches
