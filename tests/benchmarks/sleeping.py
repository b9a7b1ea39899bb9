"""Stages that sleep, for a cluster whose nodes share this machine's few cores.

They take no time of a core, so that one machine can stand for several, and hand on as much as real
ones: 0.75 MB of pixels, and rows of 20 kB.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np

from pipeline.cluster import engine
from pipeline.cluster.actors import Answer, DecoderActor, EmbedderActor
from pipeline.records import (
    DecodedVideo,
    EmbeddedVideo,
    Frames,
    MediaFacts,
    SpeechHalf,
    Task,
    VideoFile,
    VisualHalf,
)
from pipeline.speech import SpeechStatus, Transcript

D, FRAMES, SIDE = 512, 5, 224
DECODE_SECONDS, EMBED_SECONDS = "SLEEPING_DECODE", "SLEEPING_EMBED"  # of the environment


class SleepingDecoder(DecoderActor):
    def hash(self, file: VideoFile) -> Answer:
        return Answer(hashlib.blake2b(file.path.encode(), digest_size=16).hexdigest())

    def decode(self, task: Task, words: Any, preprocess: Any) -> tuple[Answer, DecodedVideo]:
        sleep(float(os.environ[DECODE_SECONDS]))
        pixels = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
        frames = Frames(pixels, np.linspace(0, 12, FRAMES), 360, 360, bytes(10_000))
        silence = SpeechStatus.NO_SPEECH
        made = DecodedVideo(task, MediaFacts(12.0, 1080, 1920), frames, silence=silence)
        return Answer(made.nbytes), made


class SleepingEmbedder(EmbedderActor):
    def __init__(self, *_: Any) -> None:
        self._gpu = threading.Lock()

    def read_preprocess(self) -> Answer:
        return Answer(None)

    def embed(self, *videos: DecodedVideo) -> Answer:
        with self._gpu:
            sleep(float(os.environ.get(EMBED_SECONDS, "0")) * len(videos))
        return Answer([_embedded(video) for video in videos])

    def encode_texts(self, texts: Any) -> Answer:
        return Answer(np.ones((len(texts), D), np.float32) / np.sqrt(np.float32(D)))


def act(decode_seconds: float, embed_seconds: float) -> None:
    """Let engines of this process run sleeping actors, on clusters started from now on."""
    os.environ[DECODE_SECONDS], os.environ[EMBED_SECONDS] = str(decode_seconds), str(embed_seconds)
    named: Any = engine
    named.DecoderActor, named.EmbedderActor = SleepingDecoder, SleepingEmbedder


def make_files(folder: Path, count: int) -> Path:
    """Small files to list, which nobody reads."""
    for number in range(count):
        path = folder / f"label{number % 10}" / f"{number:06}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0")
        os.utime(path, (1_500_000_000, 1_500_000_000))
    return folder


def _embedded(video: DecodedVideo) -> EmbeddedVideo:
    assert video.frames is not None
    vectors = np.full((FRAMES, D), 1 / np.sqrt(D), np.float32)
    frames = Frames(
        video.frames.pixels[:, :0, :0], video.frames.times.copy(), 360, 360, bytes(10_000)
    )
    silent = SpeechHalf(np.zeros(D, np.float32), np.zeros((0, D), np.float32), ())
    return EmbeddedVideo(
        video.task, video.facts, VisualHalf(vectors[0], vectors, frames),
        Transcript(SpeechStatus.NO_SPEECH), silent,
    )  # fmt: skip
