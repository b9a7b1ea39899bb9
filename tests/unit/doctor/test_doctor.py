"""The doctor says what is wrong and what to do, and outlives whatever it examines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.config import load
from pipeline.doctor import doctor, weights
from pipeline.doctor.finding import Finding, State
from pipeline.settings import Settings
from tests.support.clusters import Clusters, fill, settings_of
from tests.support.program import ROOT, Run
from tests.support.projects import UserProject


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    return UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


def examined(settings: Settings, part: str, limit_seconds: float = 120) -> list[Finding]:
    return list(doctor.examine(settings, {part: limit_seconds}))


@pytest.mark.process
def test_a_healthy_project(project: UserProject, run: Run) -> None:
    fill(project, [Clusters().row(f"x/{i}.mp4", 0, i) for i in range(3)])
    told = run("--config", project.config, "doctor")
    assert told.returncode == 0, told.stdout
    for part in ("python", "device", "clip", "whisper", "data.dir", "file system", "store", "rows"):
        assert f"ok       {part}: " in told.stdout
    assert "5 frames and a text went through it" in told.stdout
    assert "a second of noise went through it" in told.stdout


@pytest.mark.process
def test_problems_have_advice_and_an_exit_code(
    project: UserProject, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the parts that have one here: each part is a process."""
    limits = {part: doctor.LIMITS_SECONDS[part] for part in ("clip", "whisper", "data")}
    monkeypatch.setattr(doctor, "LIMITS_SECONDS", limits)
    told = run(
        "--config", project.config, "--set", "data.dir=none", "--set", "whisper.model=./none",
        "--set", "clip.model=local-dir:none", "doctor", "--json",
    )  # fmt: skip
    assert told.returncode == 1
    problems = {
        each["part"]: each for each in json.loads(told.stdout) if each["state"] == State.PROBLEM
    }
    assert problems.keys() == {"clip", "whisper", "data.dir"}
    assert "none has no open_clip_config.json" in problems["clip"]["text"]
    assert problems["whisper"]["advice"].startswith("correct the path")


@pytest.mark.model
def test_names_of_models_that_there_are_not() -> None:
    for change in ("whisper.model=huge", "clip.model=ViT-Z/1", "clip.pretrained=./no.pt"):
        settings = load(ROOT / "config.toml", [change])
        part = weights.whisper if change.startswith("whisper") else weights.clip
        assert part(settings).state == State.PROBLEM


def test_a_model_that_cannot_translate_where_that_is_wanted() -> None:
    changes = ["whisper.model=turbo", "speech.text=english"]
    found = weights.whisper(load(ROOT / "config.toml", changes))
    assert found.state is State.PROBLEM
    assert "turbo" in found.text


@pytest.mark.process
def test_rows_of_another_recipe(project: UserProject) -> None:
    fill(project, [Clusters().row("x/1.mp4", 0, 0)])
    other = load(project.config, ["clip.frames=3"])
    rows = next(each for each in examined(other, "store") if each.part == "rows")
    assert (rows.state, rows.text) == (
        State.WARNING,
        "0 embedded with these settings, 1 with others",
    )


@pytest.mark.process
def test_a_broken_store(project: UserProject) -> None:
    fill(project, [Clusters().row("x/1.mp4", 0, 0)])
    for file in (project.store / "videos.lance").rglob("*.manifest"):
        file.write_bytes(b"broken")
    (found,) = examined(settings_of(project), "store")
    assert found.state == State.PROBLEM
    assert "cannot be read" in found.text


@pytest.mark.process
def test_a_part_that_hangs_is_reported_in_time(project: UserProject) -> None:
    project.videos.rmdir()
    (found,) = examined(settings_of(project), "clip", limit_seconds=0.01)
    assert (found.part, found.state) == ("clip", State.PROBLEM)
    assert "no answer within 0.01 s" in found.text


@pytest.mark.process
def test_who_looks_no_further_waits_for_no_part(
    project: UserProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$3" = clip ] && exec sleep 3600\nexec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    found = doctor.examine(settings_of(project), {"machine": 120.0, "clip": 3600.0})
    assert next(found).part == "python"
    found.close()
    assert psutil.Process().children() == []


CRASHING = """
import os, signal, sys
import pipeline.doctor.checks as examining

def crash(settings):
    yield from examining.machine(settings)
    os.kill(os.getpid(), signal.SIGSEGV)

examining.PARTS["machine"] = crash
sys.argv = ["examining", "machine"]
examining.main()
"""


@pytest.mark.process
def test_a_part_that_crashes_is_reported(
    project: UserProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A driver that aborts, made by a part that kills its own process."""
    python = tmp_path / "python"
    script = tmp_path / "crashing.py"
    script.write_text(CRASHING)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "{script}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    found = examined(settings_of(project), "machine")
    assert found[0].state == State.OK
    assert (found[-1].state, "SIGSEGV" in found[-1].text) == (State.PROBLEM, True)
