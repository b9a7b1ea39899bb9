"""Rows of a drive that is away are kept, and known again when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.flow.progress import Report
from tests.support.disks import small_disk
from tests.support.flows import watching
from tests.support.projects import UserProject, eventually, put
from tests.support.scans import Scan, offline, rows

Made = Callable[[str], Path]


def test_a_label_whose_drive_is_away_comes_back_with_it(
    project: UserProject, scan: Scan, made: Made
) -> None:
    drive = project.folder / "drive"
    put(made("portrait.mp4"), drive / "b.mp4")
    project.add(made("no_audio.mp4"), "a.mp4")
    (project.videos / "pets").symlink_to(drive)
    assert scan().counts == {"embedded": 2}
    drive.rename(drive.with_name("away"))
    away = scan()
    assert away.counts == {"unchanged": 1}
    assert "Cannot list pets (is a symbolic link that leads nowhere)" in away.lines
    assert (
        "1 videos are missing, but they are behind symbolic links that lead nowhere" in away.lines
    )
    assert offline(project) == ["pets/b.mp4"]
    drive.with_name("away").rename(drive)
    back = scan()
    assert back.counts == {"unchanged": 2}
    assert not back.loaded
    assert offline(project) == []


def test_a_label_that_is_an_empty_mount_point_comes_back_with_its_drive(
    project: UserProject, scan: Scan, made: Made
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    with small_disk(project.videos / "pets", 8):
        put(made("portrait.mp4"), project.videos / "pets/b.mp4")
        assert scan().counts == {"embedded": 2}
    away = scan()
    assert away.counts == {"unchanged": 1}
    assert "pets, which was a drive of its own, is empty or missing" in away.lines
    assert offline(project) == ["pets/b.mp4"]
    put(made("portrait.mp4"), project.videos / "pets/b.mp4")
    back = scan()
    assert back.counts == {"unchanged": 2}
    assert not back.loaded
    assert offline(project) == []


def test_after_a_move_of_the_folder_a_watch_removes_what_is_deleted(
    project: UserProject, scan: Scan, made: Made
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "b.mp4")
    assert scan().counts == {"embedded": 2}
    elsewhere = project.videos.rename(project.folder / "elsewhere")
    with watching(project, None, Report(), "data.dir=elsewhere"):
        (elsewhere / "b.mp4").unlink()
        eventually(lambda: rows(project).keys() == {"a.mp4"})


def test_a_watch_knows_a_drive_again_that_was_away_for_long(
    project: UserProject, scan: Scan, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "pets/b.mp4")
    scan()
    away = (project.videos / "pets").rename(project.folder / "away")
    (project.videos / "pets").symlink_to(project.folder / "drive")
    with watching(project, None, Report(), "watch.rescan_seconds=0.2"):
        eventually(lambda: offline(project) == ["pets/b.mp4"])
        capsys.readouterr()
        lines: list[str] = []
        eventually(lambda: lines.append(capsys.readouterr().err) or _looks(lines) >= 3)
        away.rename(project.folder / "drive")
        eventually(lambda: offline(project) == [])
    assert "Loading" not in "".join(lines) + capsys.readouterr().err


def _looks(lines: list[str]) -> int:
    return "".join(lines).count("Cannot list pets")
