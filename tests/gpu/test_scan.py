"""A scan on a GPU: decode threads, one model stage, and rows as a CPU makes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from store.arrays import unit_length
from tests.support.program import ROOT, Run
from tests.support.projects import UserProject, distinct_copy
from tests.support.scans import rows
from tests.support.words import error_rate

KINDS = ("speech.mp4", "vp9.webm", "no_audio.mp4", "rotated_90.mp4", "hevc.mp4", "av1.mp4")
COPIES = 10  # of each kind, so that batches are full and the decode threads busy


def test_a_scan_gives_the_rows_of_a_cpu(
    clip_dir: Path, whisper_dir: Path, tmp_path: Path, run: Run, made: Callable[[str], Path]
) -> None:
    projects = []
    for device in ("cuda", "cpu"):
        project = UserProject.make(tmp_path / device, clip=clip_dir, whisper=whisper_dir)
        for copy in range(COPIES if device == "cuda" else 1):
            for kind in KINDS:
                name = project.videos / f"{copy}-{kind}"
                distinct_copy(made(kind), name, copy)
        ended = run("--config", project.config, "--set", f"device={device}", "scan", "--strict")
        assert ended.returncode == 0, ended.stderr
        projects.append(rows(project))
    on_gpu, on_cpu = projects
    assert len(on_gpu) == COPIES * len(KINDS)
    mean = np.mean([row.visual for row in on_cpu.values()], axis=0)
    for path, row in on_cpu.items():
        some, other = unit_length(on_gpu[path].visual - mean), unit_length(row.visual - mean)
        assert 1 - float(some @ other) < 1e-3, path  # 11 bits a number
        assert error_rate(on_gpu[path].transcript, row.transcript) <= 0.1, path


def test_a_gpu_that_is_hidden_is_named(
    new_project: Callable[..., UserProject], tmp_path: Path, made: Callable[[str], Path]
) -> None:
    project = new_project(tmp_path / "project", 'device = "cuda"')
    distinct_copy(made("no_audio.mp4"), project.videos / "a.mp4", 1)
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "--config", project.config, "scan"],
        env={"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "device = cuda: torch finds no such device here" in ended.stderr
