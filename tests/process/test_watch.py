"""`watch` as a process, while files land, move and go, until it is told to stop."""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.commands.output import INTERRUPTED
from store.table.store import Store
from tests.support.asking import ask
from tests.support.held_files import Late
from tests.support.program import PROCESS_SECONDS, Run, Spawn
from tests.support.projects import UserProject, eventually, keys
from tests.support.watching import Watching, start_watch

CHUNKS = 5
HELD_SECONDS = 0.5  # between chunks
SETTLING = ("--set", "watch.settle_seconds=4")  # where a file is held open: the writer may be slow
CLOSED_SECONDS = 0.2  # between chunks; a file that is closed settles after half a second
IDLE_PERCENT = 5.0  # of one core: 0.15 s in 3 s

FIRST, IN_HAND, LEFT = "first.mp4", "late.mp4", [f"left/{number}.mp4" for number in range(6)]
ONE_AT_A_TIME = ("--set", "decode.workers=1", "--set", "decode.timeout_seconds=600")


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    one_at_a_time = "clip.batch_frames = 5"  # so that a stop finds something left to do
    return UserProject.make(
        tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir, settings=one_at_a_time
    )


@pytest.fixture
def watch(project: UserProject, spawn: Spawn) -> Callable[..., Watching]:
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


def test_what_lands_slowly_and_a_hundred_at_once_is_each_embedded_once(
    project: UserProject,
    watch: Callable[..., Watching],
    run: Run,
    made: Callable[[str], Path],
) -> None:
    project.add(made("vp9.webm"), "there.webm")
    watching = watch(*SETTLING)
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
    names = [f"{number % 3}/{number}.mp4" for number in range(100)]
    project.add_distinct(made("no_audio.mp4"), names)
    watching.holds(*names, "there.webm", "held.mp4", "reopened.mp4", "pets/renamed.mp4")
    summary = watching.stop(signal.SIGTERM)
    assert keys(summary, "embedded moved copied") == {"embedded": 104, "moved": 0, "copied": 0}
    assert watching.lines.count("Loading CLIP") == 1
    # Nobody looked too early; only of a file that is closed can a slow machine think it is whole.
    assert "Skipping held.mp4" not in watching.lines
    assert "renamed" not in watching.lines
    assert json.loads(run("--config", project.config, "failures", "--json").stdout) == []


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


@pytest.fixture
def held(project: UserProject, late: Late, made: Callable[[str], Path]) -> UserProject:
    """A project whose first video is quickly done, and whose second one waits to be let on.

    Whoever decodes them one at a time takes the largest first.
    """
    project.add(made("portrait.mp4"), FIRST)
    project.add(made("rotated_90.mp4"), IN_HAND)
    project.add_distinct(made("no_audio.mp4"), LEFT)
    return project


def wait_until_held(watching: Watching, late: Late) -> None:
    """Wait until the first video is in the store and the second one in hand."""
    eventually(lambda: (watching.rows() and late.is_opened()) or watching.process.poll())
    assert watching.rows().keys() == {FIRST}


def test_the_first_signal_lets_it_finish_what_is_in_hand(
    held: UserProject, spawn: Spawn, run: Run, late: Late
) -> None:
    watching = start_watch(held, spawn, *ONE_AT_A_TIME, env=late.environment())
    wait_until_held(watching, late)
    watching.process.send_signal(signal.SIGINT)
    watching.told("Stopping")
    late.let_on()
    summary = watching.ended()
    assert summary["embedded"] == 2
    assert watching.rows().keys() == {FIRST, IN_HAND}
    rest = ask(run, held, "scan")
    assert keys(rest, "embedded unchanged failed") == {
        "embedded": len(LEFT), "unchanged": 2, "failed": 0,
    }  # fmt: skip


def test_the_second_signal_ends_it_at_once(held: UserProject, spawn: Spawn, late: Late) -> None:
    flags = (*ONE_AT_A_TIME, "--log-format", "json")
    watching = start_watch(held, spawn, *flags, env=late.environment())
    wait_until_held(watching, late)
    assert IN_HAND in (held.store / "in_hand.json").read_text(encoding="utf-8")
    watching.process.send_signal(signal.SIGINT)
    watching.told("Stopping")
    watching.process.send_signal(signal.SIGTERM)
    assert watching.process.wait(PROCESS_SECONDS) == INTERRUPTED
    with Store.open(str(held.store)) as store:
        assert store.rows([FIRST]).keys() == store.known().keys() == {FIRST}
    # Nobody is suspected of a crash, and all of the log is JSON to the last word.
    assert not (held.store / "in_hand.json").exists()
    *_, stopped = map(json.loads, watching.lines.splitlines())
    assert stopped["message"] == "Stopped."


def test_a_terminal_that_is_closed_lets_it_finish_what_is_in_hand(
    held: UserProject, spawn: Spawn, late: Late
) -> None:
    terminal, stderr = os.openpty()
    with (held.folder / "stdout").open("w") as stdout:
        # In a few words: nobody reads the other end, and a full one would stop the process.
        flags = ("--config", held.config, *ONE_AT_A_TIME, "--log-format", "json")
        process = spawn(
            *flags, "watch", "--json", env=late.environment(), stdout=stdout, stderr=stderr,
            # The tests themselves may be started by `nohup`, which has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )  # fmt: skip
    os.close(stderr)
    watching = Watching(held, process)
    wait_until_held(watching, late)
    os.close(terminal)  # from now on nothing can be written to stderr
    process.send_signal(signal.SIGHUP)
    late.let_on()
    summary = watching.ended()
    assert (summary["interrupted"], summary["failed"]) == (True, 0)
    assert 2 <= len(watching.rows()) == summary["embedded"] < 2 + len(LEFT)
    assert not (held.store / "in_hand.json").exists()


def test_a_scan_may_be_interrupted_too(held: UserProject, spawn: Spawn, late: Late) -> None:
    with (held.folder / "stderr").open("w") as stderr:
        flags = ("--config", held.config, *ONE_AT_A_TIME)
        process = spawn(*flags, "scan", "--json", env=late.environment(), stderr=stderr)
    watching = Watching(held, process)
    wait_until_held(watching, late)
    process.send_signal(signal.SIGINT)
    watching.told("Stopping")
    late.let_on()
    stdout, _ = process.communicate(timeout=PROCESS_SECONDS)
    assert process.returncode == INTERRUPTED
    assert json.loads(stdout)["embedded"] == len(watching.rows()) == 2
