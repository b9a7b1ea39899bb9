"""What the system does not tell is neither there nor gone: each part says why, and goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.doctor import weights
from pipeline.doctor.checks import machine
from pipeline.doctor.finding import State
from pipeline.errors import PipelineError, SettingsError
from pipeline.flow.journal import Journal
from pipeline.labels.move_log import Move, MoveLog
from pipeline.labels.moves import move_all
from pipeline.models.recipe import recipe_of
from pipeline.project import Project
from pipeline.search.question import Question
from pipeline.search.searcher import Searcher
from pipeline.source.presence import Unknown, look_at
from store.errors import StoreError
from store.schema import Stamp
from store.table.store import Store
from tests.support.rows import make_row

TOO_LONG = "x" * 300  # the system answers ENAMETOOLONG


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    file = tmp_path / "config.toml"
    file.write_text('data.dir = "videos"\nstore.uri = "store"\n')
    return file


@pytest.fixture
def loop(config: Path) -> Path:
    """A link to itself among the videos: the system answers ELOOP."""
    link = config.parent / "videos" / "loop.mp4"
    link.symlink_to(link)
    return link


def test_a_look_tells_present_absent_and_unknown_apart(tmp_path: Path, loop: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"abc")
    assert look_at(file) == Stamp(3, file.stat().st_mtime_ns)
    absent = (tmp_path / "b.mp4", file / "b.mp4", tmp_path, "no\0name.mp4")
    assert [look_at(each) for each in absent] == [None] * 4
    assert look_at(loop) == Unknown(os.strerror(errno.ELOOP))
    assert look_at(tmp_path / TOO_LONG) == Unknown(os.strerror(errno.ENAMETOOLONG))


@pytest.mark.parametrize("flag", ["video", "image"])
def test_a_question_with_such_a_file_is_an_error_with_the_reason(
    config: Path, loop: Path, flag: str
) -> None:
    with Store.open(str(config.parent / "store"), writer=True) as store:
        store.upsert([make_row("a.mp4")])
    with (
        Project.open(load(config)) as project,
        pytest.raises(SettingsError, match=rf"--{flag} .*loop\.mp4: .*Too many levels"),
    ):
        Searcher(project).ask(Question(**{flag: loop}))


def test_the_other_folders_are_labels_still(config: Path, loop: Path) -> None:
    (config.parent / "videos" / "pets").mkdir()
    with Project.open(load(config)) as project:
        assert project.folders() == {"pets"}
        assert project.key_of(loop) == "loop.mp4"


def test_a_root_whose_links_cannot_be_followed_holds_what_is_written_below_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a folder of another user's process."""

    def refuse(path: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    with Project.open(load(config)) as project:
        monkeypatch.setattr(os.path, "realpath", refuse)
        assert project.key_of(project.collection.root / "a.mp4") == "a.mp4"
        assert project.key_of(config) is None


def test_a_store_out_of_reach_is_no_empty_one(config: Path) -> None:
    (config.parent / "loop").symlink_to(config.parent / "loop")
    for uri, reason in (("loop", "Too many levels"), (TOO_LONG, "File name too long")):
        with pytest.raises(StoreError, match=f"{uri} cannot be read: .*{reason}"):
            Project.open(load(config, [f"store.uri={uri}"]))


def test_weights_are_named_with_the_reason(config: Path) -> None:
    for override, setting in (
        (f"clip.model=local-dir:{TOO_LONG}", "clip.model"),
        (f"clip.pretrained=./{TOO_LONG}", "clip.pretrained"),
        (f"whisper.model=./{TOO_LONG}", "whisper.model"),
    ):
        settings = load(config, [override])
        with pytest.raises(SettingsError, match=rf"{setting}: .*File name too long"):
            recipe_of(settings)
        found = weights.whisper(settings) if "whisper" in setting else weights.clip(settings)
        assert found.state is State.PROBLEM
        assert "File name too long" in found.text
    assert load(config, [f"whisper.model={TOO_LONG}"]).whisper_folder is None


def test_the_doctor_names_the_disk_that_it_cannot_examine(config: Path) -> None:
    problems = [
        finding.text
        for finding in machine(load(config, [f"export.dir={TOO_LONG}"]))
        if finding.part == "disk" and finding.state is State.PROBLEM
    ]
    assert len(problems) == 1
    assert problems[0].startswith("export.dir = ")
    assert problems[0].endswith(": File name too long")


def test_records_beside_the_store_are_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=f"{TOO_LONG}: cannot be read: File name too long"):
        Journal(tmp_path / TOO_LONG).left_over()
    with pytest.raises(PipelineError, match=f"{TOO_LONG}: File name too long"):
        MoveLog(tmp_path / TOO_LONG).start_batch()


def test_a_move_of_such_a_file_is_left_and_the_next_is_made(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"abc")
    stamp = look_at(tmp_path / "a.mp4")
    assert isinstance(stamp, Stamp)
    moves = [Move(str(tmp_path), name, "to/b.mp4", *stamp) for name in (TOO_LONG, "a.mp4")]
    batch = move_all(moves, MoveLog(tmp_path / "log"), lambda _: None)
    assert [move.source for move in batch.made] == ["a.mp4"]
    assert [each.reason for each in batch.left] == ["it cannot be reached: File name too long"]
