"""What is said without Ray; the folder of a cluster goes with its run, or with the next."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cluster.examine import examine_cluster
from pipeline.cluster.session import INSTALL, _scratch
from pipeline.config import load
from pipeline.doctor.finding import State
from tests.support.program import Run
from tests.support.projects import UserProject


def test_without_ray_the_command_that_installs_it_is_named(
    new_project: Callable[..., UserProject],
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = new_project(tmp_path / "project")
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = run("--config", project.config, "scan", "--engine", "ray")
    assert ended.returncode
    assert INSTALL in ended.stderr
    (finding,) = examine_cluster(load(project.config))
    assert (finding.state, INSTALL in finding.text) == (State.PROBLEM, True)


def test_a_folder_goes_with_its_run_and_those_of_killed_runs_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = Path(tempfile.mkdtemp(prefix="vv-"))  # sockets have short paths
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed, running = (short / f"vv-ray-{pid}-x" for pid in (ended.pid, os.getpid()))
    for folder in (killed, running):
        (folder / "session").mkdir(parents=True)
    with _scratch() as folder:
        assert folder.parent == short
        assert not killed.exists()
        assert running.exists()
    assert not folder.exists()
