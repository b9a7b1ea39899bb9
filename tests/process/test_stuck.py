"""A call that never comes back while a video is read: noticed, recorded, and met only once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.flow.channel import Ended
from pipeline.flow.heartbeat import Heartbeat
from pipeline.flow.workers import StageGroup
from pipeline.records import VideoFile
from store.table.store import Store
from tests.support.disks import nobody_can_open
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.threads import PATIENCE

REASON = "reading it has hung for longer than decode.timeout_seconds = 8"


def test_a_file_that_never_opens_fails_and_the_next_run_goes_on(
    tmp_path: Path,
    small_clip_dir: Path,
    whisper_dir: Path,
    made: Callable[[str], Path],
    run: Run,
    run_process: Run,
) -> None:
    settings = "decode.timeout_seconds = 8\ndecode.workers = 1"
    project = UserProject.make(
        tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir, settings=settings
    )
    # A scan takes the largest of so few first.
    for name, clip in {"a": "portrait.mp4", "stuck": "no_audio.mp4", "z": "one_frame.mp4"}.items():
        project.add(made(clip), f"{name}.mp4")
    with nobody_can_open(project.videos / "stuck.mp4"):
        ended = run_process("--config", project.config, "scan")
    assert ended.returncode == 1
    assert f"stuck.mp4: {REASON}; it counts as failed; scan again" in ended.stderr
    assert kept(project) == ({"a.mp4"}, {"stuck.mp4": ("decode", REASON)})

    with nobody_can_open(project.videos / "stuck.mp4"):
        again = run("--config", project.config, "scan")
    assert again.returncode == 0, again.stderr
    assert "cut short" not in again.stderr
    assert kept(project) == ({"a.mp4", "z.mp4"}, {"stuck.mp4": ("decode", REASON)})


def kept(project: UserProject) -> tuple[set[str], dict[str, tuple[str, str]]]:
    with Store.open(str(project.store)) as store:
        return set(store.known()), {f.path: (f.stage, f.reason) for f in store.failures()}


def test_silent_is_who_reads_without_a_sign_of_life() -> None:
    heartbeat = Heartbeat()
    file = VideoFile("a.mp4", Path("a.mp4"), 1, 1)
    with heartbeat.reading(file) as beat:
        heartbeat.let_pass(50)
        assert heartbeat.take_silent(60) == {}
        beat()
        heartbeat.let_pass(50)
        assert heartbeat.take_silent(60) == {}
        heartbeat.let_pass(11)
        assert heartbeat.take_silent(60) == {threading.get_ident(): file}
        assert heartbeat.take_silent(60) == {}  # once
    assert heartbeat.take_silent(60) == {}


def test_a_thread_that_is_given_up_counts_as_ended() -> None:
    stages = StageGroup()
    numbers, results = stages.channel(2), stages.channel(2, producers=2)
    come_back, idents = threading.Event(), []

    def work(items: list[int]) -> list[int]:
        if items == [0]:
            idents.append(threading.get_ident())
            come_back.wait(PATIENCE)
        return items

    stages.stage("work", work, numbers, results, threads=2)
    for number in range(2):
        numbers.put(number)
    numbers.end()
    assert results.take() == [1]
    assert not stages.wait(0.01)
    stages.give_up(idents[0])
    assert stages.wait(PATIENCE)
    with pytest.raises(Ended):
        results.take()
    stages.join()
    come_back.set()
