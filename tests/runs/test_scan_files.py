"""What a scan does about what has happened to files since the one before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SettingsError
from tests.support.projects import UserProject
from tests.support.scans import Scan, failed, offline, rows, same_vectors


def test_a_touched_file_keeps_its_vectors(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    file = project.add(made("no_audio.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    before = rows(project)["a.mp4"]
    os.utime(file, (1_400_000_000, 1_400_000_000))
    again = scan()
    assert again.counts == {"unchanged": 1}
    assert not again.loaded
    after = rows(project)["a.mp4"]
    assert after.mtime_ns == 1_400_000_000 * 10**9
    assert same_vectors(before, after)


@pytest.mark.model
def test_a_file_put_into_a_category_takes_its_row_along(heard: UserProject, scan: Scan) -> None:
    file = heard.videos / "a.mp4"
    before = rows(heard)["a.mp4"]
    (heard.videos / "soccer").mkdir()
    file.rename(heard.videos / "soccer" / "a.mp4")
    moved = scan()
    assert moved.counts == {"moved": 1}
    assert not moved.loaded
    (after,) = rows(heard).values()
    assert (before.label, after.label) == (None, "soccer")
    assert (after.path, after.transcript) == ("soccer/a.mp4", before.transcript)
    assert same_vectors(before, after)


def test_a_renamed_category_takes_its_rows_along(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add_distinct(made("no_audio.mp4"), (f"old/{n}.mp4" for n in range(3)))
    assert scan().counts == {"embedded": 3}
    (project.videos / "old").rename(project.videos / "new")
    assert scan().counts == {"moved": 3}
    assert {row.label for row in rows(project).values()} == {"new"}


def test_a_copy_has_a_row_of_its_own(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    project.add(made("no_audio.mp4"), "pets/b.mp4")
    copied = scan()
    assert copied.counts == {"unchanged": 1, "copied": 1}
    assert not copied.loaded
    both = rows(project)
    assert same_vectors(both["a.mp4"], both["pets/b.mp4"])
    assert (both["a.mp4"].label, both["pets/b.mp4"].label) == (None, "pets")


def test_one_content_under_two_names_is_embedded_once(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    for name in ("a.mp4", "b.mp4", "pets/c.mp4"):
        project.add(made("no_audio.mp4"), name)
    assert scan().counts == {"embedded": 1, "copied": 2}
    assert len(rows(project)) == 3


def test_a_broken_content_fails_under_each_of_its_names(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    for name in ("a.mp4", "b.mp4"):
        project.add(made("not_a_video.mp4"), name)
    assert scan().counts == {"failed": 2}
    assert failed(project) == ["a.mp4", "b.mp4"]


def test_a_replaced_file_is_embedded_again(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    before = rows(project)["a.mp4"]
    project.add(made("portrait.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    after = rows(project)["a.mp4"]
    assert after.content_hash != before.content_hash
    assert (after.width, after.height) == (120, 214)
    assert not np.allclose(before.visual, after.visual, atol=1e-3)


def test_two_files_that_change_places_end_with_their_own_vectors(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "b.mp4")
    scan()
    before = rows(project)
    project.add(made("portrait.mp4"), "a.mp4")
    project.add(made("no_audio.mp4"), "b.mp4")
    swapped = scan()
    assert not swapped.loaded
    after = rows(project)
    assert same_vectors(before["a.mp4"], after["b.mp4"])
    assert same_vectors(before["b.mp4"], after["a.mp4"])
    assert scan().counts == {"unchanged": 2}


def test_a_deleted_file_takes_its_row_along(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    file = project.add(made("portrait.mp4"), "pets/b.mp4")
    broken = project.add(made("not_a_video.mp4"), "broken.mp4")
    assert scan().counts == {"embedded": 2, "failed": 1}
    shutil.rmtree(file.parent)
    broken.unlink()
    assert scan().counts == {"unchanged": 1, "removed": 1}
    assert list(rows(project)) == ["a.mp4"]
    assert failed(project) == []


def test_a_mended_file_is_no_longer_a_failure(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("not_a_video.mp4"), "a.mp4")
    assert scan().counts == {"failed": 1}
    again = scan()
    assert again.counts == {"failed": 1}
    assert not again.loaded
    project.add(made("no_audio.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    assert failed(project) == []


def test_a_file_that_broke_loses_the_vectors_of_what_it_was(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    project.add(made("not_a_video.mp4"), "a.mp4")
    assert scan().counts == {"failed": 1}
    assert rows(project) == {}
    assert failed(project) == ["a.mp4"]


# a drive that is not there


def test_rows_of_an_unplugged_drive_are_kept(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "pets/b.mp4")
    scan()
    plugged, elsewhere = project.videos, project.folder / "elsewhere"
    plugged.rename(elsewhere)
    with pytest.raises(SettingsError, match=r"data\.dir"):
        scan()
    plugged.mkdir()  # an empty mount point
    unplugged = scan()
    assert unplugged.counts == {}
    assert "kept, as offline" in unplugged.lines
    assert offline(project) == ["a.mp4", "pets/b.mp4"]
    plugged.rmdir()
    elsewhere.rename(plugged)
    back = scan()
    assert back.counts == {"unchanged": 2}
    assert not back.loaded
    assert offline(project) == []


def test_so_many_at_once_are_not_taken_for_deleted(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add_distinct(made("no_audio.mp4"), (f"{n % 6}/{n}.mp4" for n in range(30)))
    assert scan().counts == {"embedded": 30}
    for folder in range(5):
        shutil.rmtree(project.videos / str(folder))
    doubted = scan()
    assert doubted.counts == {"unchanged": 5}
    assert "store.max_vanished" in doubted.lines
    assert len(offline(project)) == 25
