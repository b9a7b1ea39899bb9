"""A collection that all tests of the command line may ask, and files that hold up a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.held_files import Late
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.scanned import Scanned


@pytest.fixture(scope="session")
def scanned(
    run: Run,
    made: Callable[[str], Path],
    clips: tuple[Path, ...],
    new_project: Callable[..., UserProject],
    tmp_path_factory: pytest.TempPathFactory,
) -> Scanned:
    project = new_project(tmp_path_factory.mktemp("scanned") / "project")
    project.add(made("speech.mp4"), "köln/speech.mp4")
    project.add(made("music.mp4"), "soccer/music.mp4")
    project.add(clips[0], "soccer/deep/down/real.mp4")
    project.add(made("rotated_90.mp4"), "rotated.mp4")
    project.add(made("zero_bytes.mp4"), "broken.mp4")
    first = run("--config", project.config, "scan")
    second = run("--config", project.config, "scan", "--json")
    return Scanned(project, first, second)


@pytest.fixture
def late(tmp_path: Path) -> Late:
    """What holds up or harms processes that are started with its environment."""
    folder = tmp_path / "late"
    folder.mkdir()
    return Late.make(folder)
