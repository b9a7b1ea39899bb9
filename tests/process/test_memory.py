"""What the program holds in memory while it runs for long, and over a video that lasts for hours.

Looked at from outside: the resident memory of a real process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from pipeline.demo.videos import speech_samples
from tests.support.media import make_video
from tests.support.program import Spawn
from tests.support.projects import UserProject, distinct_copy, put
from tests.support.watching import start_watch

FEW, MANY = 60, 140
GROWTH = 300e6
"""Bytes, from FEW to MANY videos. What an allocator keeps grows with the first times that videos
land, from 1.25 to 1.5 GB, and then by 50 to 175 MB (8 runs, five of them beside other work). One
decoded picture of each that is held on to is 440 MB more."""

HOURS = 1
ABOVE_THE_MODELS = 0.5e9  # bytes
PEEK_SECONDS = 0.02

TELEPHONE_HZ = 8000  # G.711 costs next to nothing to encode


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> UserProject:
    return UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


def test_many_videos_leave_no_more_behind_than_few(
    project: UserProject, spawn: Spawn, tmp_path: Path
) -> None:
    # A picture of this size is 5.5 MB as it is decoded, and 11 MB in colours of their own.
    # What becomes of it is little: that nothing of that is held is a test of the flow.
    large = tmp_path / "large.mp4"
    make_video(large, seconds=2, fps=1, width=2560, height=1440)
    names = [f"{number:03}.mp4" for number in range(MANY)]

    watching = start_watch(project, spawn)
    process = psutil.Process(watching.process.pid)
    held = {}
    for first, last in pairwise((0, 20, 40, FEW, 100, MANY)):
        for number in range(first, last):
            distinct_copy(large, project.videos / names[number], number)
        watching.holds(*names[:last])
        held[last] = process.memory_info().rss
    assert watching.stop()["embedded"] == MANY
    assert held[MANY] - held[FEW] < GROWTH, held


def test_hours_take_little_more_than_the_models(
    project: UserProject, spawn: Spawn, made: Callable[[str], Path]
) -> None:
    put(made("speech.mp4"), project.folder / "short" / "a.mp4")
    make_hours(project.folder / "long" / "a.mov", HOURS)
    config = ("--config", project.config)
    models = peak(spawn(*config, "--set", "store.uri=s", "scan", project.folder / "short"))
    long = peak(spawn(*config, "scan", project.folder / "long", "--strict"))
    assert long - models < ABOVE_THE_MODELS, f"{models / 1e6:.0f} -> {long / 1e6:.0f} MB"


def peak(process: subprocess.Popen[str]) -> int:
    """The most resident memory of a process that must succeed, bytes."""
    watched, most = psutil.Process(process.pid), 0
    while True:
        most = max(most, watched.memory_info().rss)
        try:
            assert process.wait(PEEK_SECONDS) == 0, process.stderr and process.stderr.read()
        except subprocess.TimeoutExpired:
            continue
        return most


def make_hours(path: Path, hours: float) -> None:
    """A still picture for hours, a frame a second, and 11 s of speech at the start of each."""
    path.parent.mkdir(parents=True)
    rgb = np.full((64, 64, 3), 90, np.uint8)
    picture = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=1)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = container.add_stream("pcm_mulaw", rate=TELEPHONE_HZ, layout="mono")
        for second, sound in enumerate(_seconds(hours)):
            picture.pts, picture.time_base = second, Fraction(1)
            container.mux(video.encode(picture))
            container.mux(audio.encode(_sound_frame(sound, second)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _seconds(hours: float) -> Iterator[np.ndarray]:
    speech = speech_samples()[:176_000].reshape(-1, 2).mean(axis=1).astype(np.int16)
    hour = np.zeros((3600, TELEPHONE_HZ), np.int16)
    hour[: len(speech) // TELEPHONE_HZ] = speech.reshape(-1, TELEPHONE_HZ)
    for second in range(round(hours * 3600)):
        yield hour[second % 3600]


def _sound_frame(samples: np.ndarray, second: int) -> Any:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.time_base = TELEPHONE_HZ, Fraction(1, TELEPHONE_HZ)
    frame.pts = second * TELEPHONE_HZ
    return frame
