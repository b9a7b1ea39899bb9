"""Files move whole or not at all, and what was moved can be taken back until it is."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.labels.move_log import Move, MoveLog
from pipeline.labels.moves import move_all, take_back
from tests.support.clusters import Clusters, fill
from tests.support.program import Run
from tests.support.projects import UserProject

NOBODY = 65534


def ignore(_: str) -> None:
    """Report nothing."""


def move_of(folder: Path, source: str, target: str) -> Move:
    facts = (folder / source).stat()
    return Move(str(folder), source, target, facts.st_size, facts.st_mtime_ns)


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def log(tmp_path: Path) -> MoveLog:
    return MoveLog(tmp_path / "log")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with three files."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_text(name)
    return folder


def test_only_what_is_as_it_was_is_moved(videos: Path, log: MoveLog) -> None:
    (videos / "link").symlink_to("c")
    moves = [move_of(videos, name, f"x/{name}") for name in ("a", "b", "c", "link")]
    (videos / "a").write_text("changed")
    (videos / "b").unlink()
    batch = move_all(moves, log, ignore)
    assert [move.source for move in batch.made] == ["c"]
    assert {each.path: each.reason for each in batch.left} == {
        "a": "it has changed meanwhile",
        "b": "there is no such file",
        "link": "it is a symbolic link",
    }
    assert log.last_batch() == list(batch.made)


def test_batches_come_back_one_by_one(videos: Path, log: MoveLog) -> None:
    (videos / "b\n'é").write_text("b")
    for name in ("a", "b\n'é"):
        move_all([move_of(videos, name, f"x/{name}")], log, ignore)
    for name in ("b\n'é", "a"):
        (move,) = take_back(log, ignore).made
        assert move.target == name
        assert (videos / name).exists()
    assert take_back(log, ignore).asked == 0


def test_what_cannot_be_taken_back_stays_in_the_log(videos: Path, log: MoveLog) -> None:
    move_all([move_of(videos, name, f"x/{name}") for name in ("a", "b", "c")], log, ignore)
    away = videos.rename(videos.with_name("drive away"))
    said: list[str] = []
    assert len(take_back(log, said.append).left) == 3
    assert str(log.file) in said[-1]
    videos.mkdir()  # an empty mount point
    assert len(take_back(log, ignore).left) == 3
    videos.rmdir()
    away.rename(videos)
    (videos / "b").write_text("a new file of that name")
    batch = take_back(log, ignore)
    assert [move.target for move in batch.made] == ["c", "a"]
    assert [(each.path, each.reason) for each in batch.left] == [("x/b", "there is a b already")]
    assert names_in(videos) == ["a", "b", "c", "x", "x/b"]
    (videos / "b").unlink()
    assert [move.target for move in take_back(log, ignore).made] == ["b"]
    assert log.last_batch() == []


def test_what_a_person_took_back_or_away_does_not_stand_in_the_way(
    videos: Path, log: MoveLog
) -> None:
    move_all([move_of(videos, "a", "x/a")], log, ignore)
    move_all([move_of(videos, name, f"x/{name}") for name in ("b", "c")], log, ignore)
    (videos / "x/b").rename(videos / "b")
    (videos / "x/c").unlink()
    batch = take_back(log, ignore)
    assert (batch.asked, batch.made, batch.left) == (2, (), ())
    assert [move.target for move in take_back(log, ignore).made] == ["a"]


@contextmanager
def as_another_user() -> Iterator[None]:
    """Be somebody whom rights can stop, also where the tests run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that `as_another_user` owns; tmp_path is root's alone where root runs the tests."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


def test_a_folder_that_may_not_be_changed_keeps_its_files_and_gets_no_second_name(
    own_folder: Path,
) -> None:
    with as_another_user():
        (own_folder / "closed").mkdir()
        (own_folder / "closed/a").write_text("a")
        (own_folder / "x").mkdir()
        log = MoveLog(own_folder / "log")
        move = move_of(own_folder, "closed/a", "x/a")
        (own_folder / "closed").chmod(0o500)
        batch = move_all([move], log, ignore)
        (own_folder / "closed").chmod(0o700)
        assert [each.reason for each in batch.left] == ["it cannot be moved: Permission denied"]
        assert names_in(own_folder) == ["closed", "closed/a", "log", "x"]
        # Now a person moves it to that very place, which no undo may revert.
        (own_folder / "closed/a").rename(own_folder / "x/a")
        assert take_back(log, ignore).asked == 0
        assert (own_folder / "x/a").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_file_that_may_not_be_moved_leaves_no_folder_behind(own_folder: Path) -> None:
    (own_folder / "a").write_text("of root")
    own_folder.chmod(0o1777)
    os.chown(own_folder, 0, 0)  # sticky: only root may rename root's files
    with as_another_user():
        log = MoveLog(own_folder / "log")
        assert len(move_all([move_of(own_folder, "a", "x/a")], log, ignore).left) == 1
        assert names_in(own_folder) == ["a", "log"]
        assert log.last_batch() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_file_that_cannot_be_linked_is_renamed(own_folder: Path) -> None:
    """Linux refuses hard links to others' files (fs.protected_hardlinks); so do file systems."""
    (own_folder / "a").write_text("of root")
    with as_another_user():
        log = MoveLog(own_folder / "log")
        assert len(move_all([move_of(own_folder, "a", "x/a")], log, ignore).made) == 1
        assert (own_folder / "x/a").read_text() == "of root"
        assert len(take_back(log, ignore).made) == 1
        assert (own_folder / "a").read_text() == "of root"


def test_after_a_crash_the_log_goes_on(videos: Path, log: MoveLog) -> None:
    move_all([move_of(videos, "a", "x/a")], log, ignore)
    log.add(Move(**{**vars(move_of(videos, "b", "x/b")), "batch": 1}))  # logged, not made
    with log.file.open("a") as stream:
        stream.write('{"root": "cut sho')  # by a loss of power
    move_all([move_of(videos, "c", "x/c")], log, ignore)
    assert [move.source for move in log.last_batch()] == ["c"]
    take_back(log, ignore)
    batch = take_back(log, ignore)
    assert (batch.asked, [move.target for move in batch.made], batch.left) == (2, ["a"], ())
    assert names_in(videos) == ["a", "b", "c", "x"]


def test_a_damaged_log_is_named(log: MoveLog) -> None:
    log.file.write_text('{"root": 1\n')
    with pytest.raises(PipelineError, match=f"{log.file}: the log of moves is damaged"):
        log.last_batch()


def test_the_command_says_that_not_all_came_back(
    new_project: Callable[..., UserProject], tmp_path: Path, run: Run
) -> None:
    project = new_project(tmp_path / "project")
    paths = [*(f"{name}/{i}.mp4" for name in "xy" for i in range(6)), "new.mp4"]
    rows = [Clusters().row(path, path.startswith("y/"), i) for i, path in enumerate(paths)]
    fill(project, rows)
    suggest = ("--config", project.config, "suggest")
    moved = run(*suggest, "--move", "--min-confidence", "0.5", "--json")
    assert [each["to"] for each in json.loads(moved.stdout)["moved"]] == ["videos/x/new.mp4"]
    away = project.videos.rename(tmp_path / "away")
    undone = run(*suggest, "--undo", "--json")
    assert undone.returncode == 1
    assert json.loads(undone.stdout) == {
        "moved": [], "left": [{"path": "videos/x/new.mp4", "reason": "there is no such file"}],
    }  # fmt: skip
    assert "stay in" in undone.stderr
    away.rename(project.videos)
    assert run(*suggest, "--undo").returncode == 0
    assert (project.videos / "new.mp4").exists()
