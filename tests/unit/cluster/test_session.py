"""The folder of a cluster that the program starts goes with it, and with what a kill left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.cluster.session import _scratch


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
