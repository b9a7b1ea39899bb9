"""Commands for another folder than the configured one, or for a part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from store.table.store import Store
from tests.support.asking import ask
from tests.support.program import Run
from tests.support.projects import UserProject, keys, put
from tests.support.scanned import COUNTS


def test_the_commands_after_a_scan_of_another_folder_mean_that_folder(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    file = put(made("no_audio.mp4"), elsewhere / "pets/cat.mp4")
    put(made("portrait.mp4"), elsewhere / "dog.mp4")
    assert ask(run, project, "scan", elsewhere)["embedded"] == 2
    facts = ask(run, project, "status")
    assert keys(facts, "on_disk embedded labels") == {
        "on_disk": 2, "embedded": 2, "labels": {"pets": 1},
    }  # fmt: skip
    ask(run, project, "export")
    artifact = project.folder / "artifacts" / "labeled_embeddings.pt"
    assert torch.load(artifact, weights_only=True)["video_paths"] == [str(file)]
    (hit,) = ask(run, project, "query", "--video", file)
    assert hit["path"] == str(elsewhere / "dog.mp4")


def test_a_folder_in_the_one_that_was_scanned_is_a_part_of_it(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    file = put(made("no_audio.mp4"), elsewhere / "pets/cat.mp4")
    assert ask(run, project, "scan", elsewhere)["embedded"] == 1
    for part in (file, file.parent):
        assert keys(ask(run, project, "scan", part), COUNTS) == {
            "embedded": 0, "unchanged": 1, "moved": 0, "copied": 0, "removed": 0, "failed": 0,
        }  # fmt: skip


def test_one_video_of_the_collection_is_embedded_alone(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    cat = project.add(made("no_audio.mp4"), "pets/cat.mp4")
    project.add(made("portrait.mp4"), "dog.mp4")
    assert ask(run, project, "scan", cat)["embedded"] == 1
    facts = ask(run, project, "status")
    assert keys(facts, "embedded pending labels") == {
        "embedded": 1, "pending": 1, "labels": {"pets": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name", "named"),
    [
        ("scan", "../elsewhere.mp4", "scan the folder that it is in: `scan '"),
        ("scan", "videos/notes.txt", "ends with .mp4, .m4v"),
        ("scan", "videos/.hidden.mp4", "not hidden"),
        ("watch", "videos/cat.mp4", "a watch needs a folder: `watch '"),
    ],
)
def test_a_file_that_cannot_be_scanned_alone_brings_what_to_give(
    run: Run,
    new_project: Callable[..., UserProject],
    tmp_path: Path,
    command: str,
    name: str,
    named: str,
) -> None:
    project = new_project(tmp_path / "with blanks" / "project")
    file = project.folder / name
    file.write_bytes(b"")
    ended = run("--config", project.config, command, file)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert not project.store.exists()


def test_a_part_of_the_collection_keeps_its_labels(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    project.add(made("no_audio.mp4"), "pets/cats/cat.mp4")
    project.add(made("portrait.mp4"), "dog.mp4")
    assert ask(run, project, "scan", project.videos / "pets")["embedded"] == 1
    facts = ask(run, project, "status")
    assert keys(facts, "on_disk embedded pending labels") == {
        "on_disk": 2, "embedded": 1, "pending": 1, "labels": {"pets": 1},
    }  # fmt: skip
    assert ask(run, project, "scan")["unchanged"] == 1
    assert keys(ask(run, project, "scan", project.videos / "pets"), COUNTS) == {
        "embedded": 0, "unchanged": 1, "moved": 0, "copied": 0, "removed": 0, "failed": 0,
    }  # fmt: skip
    with Store.open(str(project.store)) as store:
        assert sorted(store.known()) == ["dog.mp4", "pets/cats/cat.mp4"]
