"""A scan that is killed, runs out of disk, or meets a video that takes the process down."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import config
from pipeline.decode.content import content_hash
from pipeline.flow.crash_trial import crash_of
from store.schema import Row
from store.table.store import Store
from tests.support.disks import fill, small_disk
from tests.support.held_files import Late
from tests.support.program import PROCESS_SECONDS, Run, Spawn
from tests.support.projects import UserProject, eventually, keys
from tests.support.watching import Watching, start_watch

Made = Callable[[str], Path]

KILLS = int(os.environ.get("KILLS", "1"))
CLIPS = 24
LONGEST_SECONDS = 0.3  # from the first row until the kill


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    """An empty one."""
    return UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


def scan(run: Run, project: UserProject, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The summary of a scan that went well."""
    ended = run("--config", project.config, "scan", "--json", env=env)
    assert ended.returncode == 0, ended.stderr
    return {**json.loads(ended.stdout), "stderr": ended.stderr}


def rows(project: UserProject) -> dict[str, Row]:
    with Store.open(str(project.store)) as store:
        kept = store.rows(sorted(store.known()))
        assert len(kept) == store.facts().rows  # no path twice
    return kept


def failures(project: UserProject) -> dict[str, tuple[str, str]]:
    """Stage and reason, by path."""
    with Store.open(str(project.store)) as store:
        return {each.path: (each.stage, each.reason) for each in store.failures()}


# a run that is killed


def test_a_killed_scan_loses_nothing_and_doubles_nothing(
    project: UserProject, spawn: Spawn, run: Run, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), (f"{n % 4}/{n}.mp4" for n in range(CLIPS)))
    moments = random.Random(0)
    before: dict[str, Row] = {}
    for _ in range(KILLS):
        kill_a_scan(project, spawn, len(before), moments.uniform(0, LONGEST_SECONDS))
        after = rows(project)
        check_whole(project, after)
        assert before.keys() < after.keys()
        before = after
        if len(after) == CLIPS:
            shutil.rmtree(project.store)
            before = {}
    summary = scan(run, project)
    assert keys(summary, "embedded unchanged failed") == {
        "embedded": CLIPS - len(before), "unchanged": len(before), "failed": 0,
    }  # fmt: skip
    assert len(rows(project)) == CLIPS


def kill_a_scan(project: UserProject, spawn: Spawn, there: int, moment: float) -> None:
    """Start a scan, and kill it while it writes.

    Args:
        project: to scan.
        spawn: starts the process.
        there: rows that are in the store before.
        moment: seconds from its first row until the kill.
    """
    with (project.folder / "killed").open("w", encoding="utf-8") as stderr:
        scanning = Watching(project, spawn("--config", project.config, "scan", stderr=stderr))
    eventually(lambda: len(scanning.rows()) > there, pause=0.01)
    threading.Event().wait(moment)
    scanning.process.kill()
    scanning.process.wait(PROCESS_SECONDS)


def check_whole(project: UserProject, kept: dict[str, Row]) -> None:
    """Every row is of its file; the pictures of all of them are the same."""
    for path, row in kept.items():
        assert row.content_hash == content_hash(project.videos / path)
        assert (row.label, row.width, row.frames_readable) == (path[0], 160, 50)
        np.testing.assert_allclose(row.visual, next(iter(kept.values())).visual, atol=1e-5)


# a disk without room


def test_a_scan_without_room_stops_with_the_reason_and_goes_on_later(
    tmp_path: Path, small_clip_dir: Path, whisper_dir: Path, run: Run, made: Made
) -> None:
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        project = UserProject.make(disk / "project", clip=small_clip_dir, whisper=whisper_dir)
        project.add(made("no_audio.mp4"), "first.mp4")
        assert scan(run, project)["embedded"] == 1
        project.add_distinct(made("no_audio.mp4"), (f"{n}.mp4" for n in range(20)))
        filler = fill(disk, leave=12_000)
        ended = run("--config", project.config, "scan")
        assert ended.returncode == 1
        assert "error: " in ended.stderr
        assert "No space left on device" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "first.mp4" in rows(project)
        filler.unlink()
        before = len(rows(project))
        assert scan(run, project)["embedded"] == 21 - before
        assert failures(project) == {}


# one writer


def test_while_one_writes_others_read_and_a_second_writer_is_refused(
    project: UserProject, spawn: Spawn, run: Run, made: Made
) -> None:
    file = project.add(made("no_audio.mp4"), "pets/a.mp4")
    project.add(made("portrait.mp4"), "b.mp4")
    watching = start_watch(project, spawn)
    watching.holds("pets/a.mp4", "b.mp4")
    refused = run("--config", project.config, "scan")
    assert refused.returncode == 1
    assert f"is being written by process {watching.process.pid}" in refused.stderr
    status = run("--config", project.config, "status", "--json")
    assert keys(json.loads(status.stdout), "on_disk embedded") == {"on_disk": 2, "embedded": 2}
    query = run("--config", project.config, "query", "--video", file, "--json")
    assert [hit["path"] for hit in json.loads(query.stdout)] == ["videos/b.mp4"]
    export = run("--config", project.config, "export")
    assert export.returncode == 0, export.stderr
    assert (project.folder / "artifacts" / "labeled_embeddings.pt").exists()
    assert watching.stop()["embedded"] == 2


# a video that takes the process down


def test_a_video_that_crashes_the_process_does_so_once(
    project: UserProject, run: Run, run_process: Run, late: Late, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), ("a.mp4", "crashes.mp4", "z.mp4"))
    harmful = late.environment()
    # With one thread to decode, it and the file that is being embedded are in hand.
    one = ("--config", project.config, "--set", "decode.workers=1")
    first = run_process(*one, "scan", env=harmful)
    assert first.returncode == -signal.SIGSEGV
    second = scan(run, project, env=harmful)  # which tries what was in hand in other processes
    assert "trying these first" in second["stderr"]
    assert second["failed"] == 1
    assert rows(project).keys() == {"a.mp4", "z.mp4"}
    assert failures(project) == {"crashes.mp4": ("crash", "it crashes the process (SIGSEGV)")}
    third = scan(run, project)
    assert "in hand" not in third["stderr"]
    assert keys(third, "embedded unchanged failed") == {"embedded": 0, "unchanged": 2, "failed": 1}


def test_a_video_that_never_ends_is_given_up(
    project: UserProject, late: Late, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in late.environment().items():
        monkeypatch.setenv(name, value)
    settings = config.load(project.config)
    endless = project.add(made("no_audio.mp4"), "late.mp4")
    assert crash_of(settings, [endless], 2) == "it does not end within 2 s"
    fine = project.add(made("no_audio.mp4"), "fine.mp4")
    broken = project.add(made("not_a_video.mp4"), "broken.mp4")
    assert crash_of(settings, [broken, fine], PROCESS_SECONDS) is None
