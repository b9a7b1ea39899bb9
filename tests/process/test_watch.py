"""`watch` as a process, while files land, move and go, until it is told to stop."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from store.table.store import Store
from tests.support.program import Run, Spawn
from tests.support.projects import UserProject, eventually, keys
from tests.support.watching import Watching, start_watch

CHUNKS = 5
HELD_SECONDS = 0.5  # between chunks; a file that is held open settles after two seconds
CLOSED_SECONDS = 0.2  # between chunks; a file that is closed settles after half a second
IDLE_PERCENT = 5.0  # of one core: 0.15 s in 3 s


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    one_at_a_time = "clip.batch_frames = 5"  # so that a stop finds something left to do
    return UserProject.make(
        tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir, settings=one_at_a_time
    )


@pytest.fixture
def watch(project: UserProject, spawn: Spawn) -> Callable[[], Watching]:
    """Start `watch`, and wait until it watches."""
    return functools.partial(start_watch, project, spawn)


def chunks(content: bytes) -> list[bytes]:
    """The content in pieces; no video before the last."""
    size = -(-len(content) // CHUNKS)
    return [content[start : start + size] for start in range(0, len(content), size)]


def drip(clip: Path, target: Path, *, reopen: bool) -> None:
    """Write a file piece by piece, held open or opened again for every piece."""
    pause = threading.Event()
    with ExitStack() as stack:
        file = stack.enter_context(target.open("wb", buffering=0))
        for piece in chunks(clip.read_bytes()):
            if reopen:
                file.close()
                file = stack.enter_context(target.open("ab", buffering=0))
            file.write(piece)
            pause.wait(CLOSED_SECONDS if reopen else HELD_SECONDS)


def test_a_file_that_lands_slowly_is_embedded_once(
    project: UserProject,
    watch: Callable[[], Watching],
    run: Run,
    made: Callable[[str], Path],
) -> None:
    project.add(made("vp9.webm"), "there.webm")
    watching = watch()
    watching.holds("there.webm")  # with the models loaded, nothing waits
    (project.videos / "pets").mkdir()
    part = project.videos / "pets" / "renamed.mp4.part"
    writers = [
        threading.Thread(target=drip, args=(clip, target), kwargs={"reopen": reopen})
        for clip, target, reopen in [
            (made("no_audio.mp4"), project.videos / "held.mp4", False),
            (made("portrait.mp4"), project.videos / "reopened.mp4", True),
            (made("rotated_90.mp4"), part, False),
        ]
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    part.rename(part.with_suffix(""))
    watching.holds("there.webm", "held.mp4", "reopened.mp4", "pets/renamed.mp4")
    assert watching.rows()["pets/renamed.mp4"].label == "pets"
    summary = watching.stop()
    assert keys(summary, "embedded moved copied") == {"embedded": 4, "moved": 0, "copied": 0}
    # Nobody looked too early; only of a file that is closed can a slow machine think it is whole.
    assert "Skipping held.mp4" not in watching.lines
    assert "renamed" not in watching.lines
    assert json.loads(run("--config", project.config, "failures", "--json").stdout) == []


def test_a_hundred_that_land_at_once_are_each_embedded_once(
    project: UserProject, watch: Callable[[], Watching], made: Callable[[str], Path]
) -> None:
    watching = watch()
    names = [f"{number % 3}/{number}.mp4" for number in range(100)]
    project.add_distinct(made("no_audio.mp4"), names)
    watching.holds(*names)
    summary = watching.stop(signal.SIGTERM)
    assert keys(summary, "embedded moved copied failed") == {
        "embedded": 100, "moved": 0, "copied": 0, "failed": 0,
    }  # fmt: skip
    assert watching.lines.count("Loading CLIP") == 1


def test_rows_follow_their_files_and_queries_see_them(
    project: UserProject,
    watch: Callable[[], Watching],
    run: Run,
    made: Callable[[str], Path],
) -> None:
    project.add(made("no_audio.mp4"), "there.mp4")
    watching = watch()
    watching.holds("there.mp4")
    project.add(made("portrait.mp4"), "landed.mp4")
    watching.holds("there.mp4", "landed.mp4")
    (hit,) = similar(run, project, "there.mp4")
    assert hit["path"] == "videos/landed.mp4"
    # No event tells of a file in a folder that comes as a whole.
    category = project.folder / "pets"
    category.mkdir()
    (project.videos / "landed.mp4").rename(category / "moved.mp4")
    category.rename(project.videos / "pets")
    watching.holds("there.mp4", "pets/moved.mp4")
    (hit,) = similar(run, project, "there.mp4")
    assert (hit["path"], hit["label"]) == ("videos/pets/moved.mp4", "pets")
    (project.videos / "pets" / "moved.mp4").unlink()
    watching.holds("there.mp4")
    assert similar(run, project, "there.mp4") == []
    process = psutil.Process(watching.process.pid)
    eventually(lambda: process.cpu_percent(interval=3) < IDLE_PERCENT)
    assert keys(watching.stop(), "embedded moved copied removed failed") == {
        "embedded": 2, "moved": 1, "copied": 0, "removed": 1, "failed": 0,
    }  # fmt: skip


def similar(run: Run, project: UserProject, name: str) -> list[dict[str, Any]]:
    """The hits of a query for a video of the project."""
    file = project.videos / name
    ended = run("--config", project.config, "query", "--video", file, "--json")
    assert ended.returncode == 0, ended.stderr
    hits: list[dict[str, Any]] = json.loads(ended.stdout)
    return hits


def test_the_first_signal_lets_it_finish_what_is_in_hand(
    project: UserProject,
    watch: Callable[[], Watching],
    run: Run,
    made: Callable[[str], Path],
) -> None:
    project.add_distinct(made("speech.mp4"), (f"{n}.mp4" for n in range(8)))
    watching = watch()
    eventually(watching.rows)
    summary = watching.stop()
    assert "Stopping" in watching.lines
    written = watching.rows()
    assert len(written) == summary["embedded"] < 8
    ended = run("--config", project.config, "scan", "--json")
    rest = json.loads(ended.stdout)
    assert keys(rest, "embedded unchanged failed") == {
        "embedded": 8 - len(written), "unchanged": len(written), "failed": 0,
    }  # fmt: skip


def test_the_second_signal_ends_it_at_once(
    project: UserProject, spawn: Spawn, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "short.mp4")
    project.add(made("long.mp4"), "takes_long.mp4")
    watching = start_watch(project, spawn, "--log-format", "json")
    watching.told("Loading Whisper")
    assert (project.store / "in_hand.json").exists()
    watching.process.send_signal(signal.SIGINT)
    watching.told("Stopping")
    watching.process.send_signal(signal.SIGTERM)
    assert watching.process.wait(10) == 130
    with Store.open(str(project.store)) as store:
        assert "takes_long.mp4" not in store.known()
        assert len(store.rows(sorted(store.known()))) == len(store.known())
    # Nobody is suspected of a crash, and all of the log is JSON to the last word.
    assert not (project.store / "in_hand.json").exists()
    *_, stopping, stopped = map(json.loads, watching.lines.splitlines())
    assert stopping["message"].startswith("Stopping")
    assert stopped["message"] == "Stopped."


def test_a_terminal_that_is_closed_lets_it_finish_what_is_in_hand(
    project: UserProject, spawn: Spawn, made: Callable[[str], Path]
) -> None:
    project.add_distinct(made("speech.mp4"), (f"{n}.mp4" for n in range(8)))
    terminal, stderr = os.openpty()
    with (project.folder / "stdout").open("w") as stdout:
        # In a few words: nobody reads the other end, and a full one would stop the process.
        arguments = ("--config", project.config, "--log-format", "json", "watch", "--json")
        process = spawn(*arguments, stdout=stdout, stderr=stderr)
    os.close(stderr)
    watching = Watching(project, process)
    eventually(watching.rows)
    os.close(terminal)  # from now on nothing can be written to stderr
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 0
    summary = json.loads((project.folder / "stdout").read_text(encoding="utf-8"))
    assert (summary["interrupted"], summary["failed"]) == (True, 0)
    assert len(watching.rows()) == summary["embedded"] < 8
    assert not (project.store / "in_hand.json").exists()


def test_a_scan_may_be_interrupted_too(
    project: UserProject, spawn: Spawn, made: Callable[[str], Path]
) -> None:
    project.add_distinct(made("speech.mp4"), (f"{n}.mp4" for n in range(8)))
    process = spawn("--config", project.config, "scan", "--json", stderr=subprocess.DEVNULL)
    watching = Watching(project, process)
    eventually(watching.rows)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(stdout)["embedded"] == len(watching.rows()) < 8
