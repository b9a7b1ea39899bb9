"""The first command that a new user types: a tour, with no videos, no settings and no model hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.demo.collection import BROKEN, MISPLACED
from tests.support.program import PROCESS_SECONDS, ROOT, Run


def demo(folder: Path, *arguments: str) -> list[str]:
    """The lines of `run.py demo` in an empty environment; fails where it fails."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HF_ENDPOINT": "http://127.0.0.1:9",  # where nobody listens
    }
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "demo", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=PROCESS_SECONDS,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("empty")
    return folder, demo(folder)


def test_the_tour_shows_every_part_and_how_to_go_on(toured: tuple[Path, list[str]]) -> None:
    folder, lines = toured
    text = "\n".join(lines)
    assert len(lines) <= 60
    for command in (
        "query 'two",
        "--words",
        "--video",
        "suggest",
        "check",
        "failures",
        "plot",
        "export",
    ):
        assert sum(line.startswith("$") and f" {command}" in line for line in lines) == 1
    assert "drawn shapes and colours only" in text
    assert MISPLACED in text
    assert BROKEN in text
    assert "scan ~/Videos" in lines[-2]
    assert lines[-3].endswith(" web")
    assert "watch ~/Videos" in lines[-1]
    assert sorted(entry.name for entry in folder.iterdir()) == ["data"]  # and nothing else


def test_again_it_takes_a_moment_and_prints_the_same(toured: tuple[Path, list[str]]) -> None:
    folder, lines = toured
    assert demo(folder) == lines


def test_every_command_takes_the_demos_configuration(
    toured: tuple[Path, list[str]], run: Run
) -> None:
    folder, _ = toured
    ended = run("status", "--config", "data/demo/config.toml", "--json", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert '"failed": 1' in ended.stdout
    assert '"pending": 0' in ended.stdout
