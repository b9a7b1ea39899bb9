"""Projects to scan more than once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.projects import UserProject
from tests.support.scans import COUNTS, Scan, Scanned, run_flow


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    """An empty one."""
    return UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


@pytest.fixture(scope="module")
def _heard(
    tmp_path_factory: pytest.TempPathFactory,
    small_clip_dir: Path,
    whisper_dir: Path,
    made: Callable[[str], Path],
) -> UserProject:
    folder = tmp_path_factory.mktemp("heard") / "project"
    project = UserProject.make(folder, clip=small_clip_dir, whisper=whisper_dir)
    project.add(made("speech.mp4"), "a.mp4")
    assert run_flow(project).embedded == 1
    return project


@pytest.fixture
def heard(project: UserProject, _heard: UserProject) -> UserProject:
    """The project of the test with one speech, a.mp4, that was scanned."""
    return UserProject(shutil.copytree(_heard.folder, project.folder, dirs_exist_ok=True))


@pytest.fixture
def scan(project: UserProject, capsys: pytest.CaptureFixture[str]) -> Scan:
    """`scan("clip.frames=3", ...)`: one run over the project."""

    def scan(*overrides: str) -> Scanned:
        summary = run_flow(project, overrides)
        counts = {name: getattr(summary, name) for name in COUNTS}
        return Scanned({k: v for k, v in counts.items() if v}, capsys.readouterr().err)

    return scan
