"""A cluster that the program starts itself: it does the same, is closed, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pipeline.commands.flow_run import COUNTS
from pipeline.commands.output import INTERRUPTED
from pipeline.demo.weights import TINY_CLIP
from store.errors import StoreError
from store.schema import Row
from store.table.store import Store
from tests.support.held_files import Late
from tests.support.program import PROCESS_SECONDS, Run, Spawn
from tests.support.projects import UserProject, eventually
from tests.support.watching import Watching, start_watch

CLOSED = ("::ffff:127.0.0.1", "127.0.0.1", "::1")
# What a driver asks first; to `ray.init` itself the refusal is a failure to be tried for long.
ASK = "from ray._raylet import GcsClient; GcsClient(address={!r}).get_all_node_info()"


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A temporary folder whose name is as short as Ray's sockets need it."""
    with tempfile.TemporaryDirectory(prefix="vv-own-") as folder:
        yield Path(folder)


@pytest.fixture
def plain(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of somebody who has heard nothing of Ray."""
    for name in list(os.environ):
        if name.startswith("RAY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(scratch))
    return {"TMPDIR": str(scratch)}


def fill(project: UserProject, made: Callable[[str], Path]) -> None:
    project.add(made("speech.mp4"), "said/a.mp4")
    project.add(made("portrait.mp4"), "b.mp4")
    project.add(made("portrait.mp4"), "copies/b.mp4")
    project.add(made("not_a_video.mp4"), "broken.mp4")


def kept(project: UserProject) -> tuple[dict[str, Row], list[Any]]:
    """Rows and failures without their times."""
    never = datetime.fromtimestamp(0, UTC)
    with Store.open(str(project.store)) as store:
        rows = store.rows(sorted(store.known()))
        failures = [replace(each, failed_at=never) for each in store.failures()]
    return {path: replace(row, embedded_at=never) for path, row in rows.items()}, failures


def assert_same(ours: Row, theirs: Row) -> None:
    for name, value in vars(theirs).items():
        if isinstance(value, np.ndarray):  # batches of other sizes are added up in another order
            np.testing.assert_allclose(getattr(ours, name), value, atol=1e-5, err_msg=name)
        else:
            assert getattr(ours, name) == value, name


def test_a_watch_does_what_the_local_engine_does_behind_closed_doors(
    project: UserProject,
    tmp_path: Path,
    plain: dict[str, str],
    scratch: Path,
    spawn: Spawn,
    run: Run,
    made: Callable[[str], Path],
    whisper_dir: Path,
) -> None:
    fill(project, made)
    watching = start_watch(project, spawn, "--set", "engine.name=ray")
    # While its actors import what they need.
    theirs = UserProject.make(tmp_path / "local", clip=TINY_CLIP, whisper=whisper_dir)
    fill(theirs, made)
    ended = run("--config", theirs.config, "scan", "--json")
    assert ended.returncode == 0, ended.stderr
    watching.holds("said/a.mp4", "b.mp4", "copies/b.mp4")

    (folder,) = scratch.glob("vv-ray-*")
    check_doors(watching, folder)
    os.killpg(watching.process.pid, signal.SIGINT)  # as a terminal does
    summary = watching.ended()
    assert (summary["embedded"], summary["copied"], summary["failed"]) == (2, 1, 1)
    assert not list(scratch.glob("vv-ray-*"))

    local = json.loads(ended.stdout)
    assert summary.keys() == local.keys()
    assert all(summary[name] == local[name] for name in (*COUNTS, "left", "failures"))
    assert skipped(watching.lines) == skipped(ended.stderr) != []
    rows, failures = kept(project)
    expected, expected_failures = kept(theirs)
    assert failures == expected_failures
    assert rows.keys() == expected.keys()
    for path, row in rows.items():
        assert_same(row, expected[path])


def skipped(lines: str) -> list[str]:
    """What is said of files that fail, without the times."""
    return [line[line.index("Skipping") :] for line in lines.splitlines() if "Skipping" in line]


def check_doors(watching: Watching, folder: Path) -> None:
    """Nobody gets in from another machine, or without the token; nothing is reported."""
    processes = psutil.Process(watching.process.pid).children(recursive=True)
    doors = [
        connection.laddr
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert doors
    assert {door.ip for door in doors} <= set(CLOSED)
    (dashboard,) = (p for p in processes if "dashboard.py" in " ".join(p.cmdline()))
    assert "--disable-frontend" in dashboard.cmdline()  # what is left of it runs in any case
    assert not list(folder.glob("session_*/usage_stats.json"))
    gcs = next(process for process in processes if process.name() == "gcs_server")
    assert gcs.environ()["RAY_USAGE_STATS_ENABLED"] == "0"
    (door,) = [c.laddr for c in gcs.net_connections() if c.status == psutil.CONN_LISTEN]
    without = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "HOME": str(folder)}
    asked = subprocess.run(
        [sys.executable, "-c", ASK.format(f"127.0.0.1:{door.port}")],
        env=os.environ | without, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode
    assert "uthentication" in asked.stderr


def test_after_a_kill_or_two_interrupts_nothing_runs_on_and_the_next_scan_completes(
    project: UserProject,
    plain: dict[str, str],
    scratch: Path,
    spawn: Spawn,
    run: Run,
    late: Late,
    made: Callable[[str], Path],
) -> None:
    # Of the others, one may wait behind the late one.
    project.add_distinct(made("no_audio.mp4"), [*(f"{n}.mp4" for n in range(3)), "late.mp4"])
    log = project.folder / "stderr"

    def start_scan(name: str) -> tuple[Any, list[psutil.Process]]:
        """A scan that has embedded a file, or finds one, and has the late one in hand."""
        with log.open("w", encoding="utf-8") as stderr:
            process = spawn(
                "--config", project.config, "--set", "decode.timeout_seconds=600",
                "scan", "--engine", "ray", env=late.environment(name), stderr=stderr,
            )  # fmt: skip
        eventually(lambda: late.is_opened(name) and rows(project))
        return process, psutil.Process(process.pid).children(recursive=True)

    killed, children = start_scan("killed")
    # Ray's two agents notice after a minute; they start nothing.
    others = [child for child in children if "Agent" not in child.name()]
    killed.send_signal(signal.SIGKILL)
    assert not alive(others)
    (left,) = scratch.glob("vv-ray-*")

    stopped, children = start_scan("stopped")
    stopped.send_signal(signal.SIGINT)
    eventually(lambda: "Press Ctrl-C again" in log.read_text("utf-8"))
    assert stopped.poll() is None
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(PROCESS_SECONDS) == INTERRUPTED
    assert not alive(children)
    assert set(scratch.glob("vv-ray-*")) <= {left}  # which those agents may still write into

    ended = run("--config", project.config, "scan", "--json")
    summary = json.loads(ended.stdout)
    assert (summary["embedded"] + summary["unchanged"], summary["failed"]) == (4, 0)
    assert len(rows(project)) == 4


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that do not end."""
    return psutil.wait_procs(processes, timeout=PROCESS_SECONDS)[1]


def rows(project: UserProject) -> set[str]:
    """Paths in the store just now."""
    try:
        with Store.open(str(project.store)) as store:
            return set(store.known())
    except StoreError:  # it is being made
        return set()
