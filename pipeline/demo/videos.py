"""Videos of which it is known what they show, when, and what is said in them.

shots = [Shot(first, 2.0), Shot(second, 3.0)]
write_video(path, shots, seed=7, speech="ask what you can do for your country")
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.demo.drawing import Scene, arrange, draw
from pipeline.speech import SAMPLE_RATE_HZ

FPS = 10
NOISE = 4.0  # standard deviation, of 255
DRIFT = 0.02  # how far shapes move to either side, of the middle square

RECORDING = Path(__file__).with_name("assets") / "jfk.flac"

# What is said in a piece of the recording, and where it is: start and end in seconds.
SPEECH = {
    "And so my fellow Americans": (0.0, 2.8),
    "ask not what your country can do for you": (2.8, 7.7),
    "ask what you can do for your country": (7.7, 11.0),
}


@dataclass(frozen=True)
class Shot:
    """A scene and how long it is shown."""

    scene: Scene
    seconds: float


def write_video(
    path: Path,
    shots: Sequence[Shot],
    *,
    seed: int = 0,
    speech: str | None = None,
    size: tuple[int, int] = (160, 120),
    crf: int = 26,
) -> None:
    """Write an h264 video at FPS frames a second: each shot moves a little and is noisy.

    Args:
        path: to write; the container follows from the suffix.
        shots: what is shown, one after the other.
        seed: decides where several shapes are, the exact colours, and the noise.
        speech: a key of SPEECH, heard from the first frame on, or None for no sound.
        size: width and height in pixels, both even.
        crf: h264's constant rate factor: more is worse.
    """
    sound = _spoken(speech) if speech else None
    _write(path, _frames(shots, seed, size), sound, {"crf": str(crf), "preset": "veryfast"})


def through_codec(pictures: Sequence[np.ndarray], crf: int) -> list[np.ndarray]:
    """Pictures of one size as h264 leaves them, each coded by itself: uint8 `[h, w, 3]`."""
    file = io.BytesIO()
    options = {"crf": str(crf), "preset": "ultrafast", "g": "1"}
    _write(file, pictures, None, options, format="matroska")
    file.seek(0)
    with av.open(file, "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _frames(shots: Sequence[Shot], seed: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    dice, noise = random.Random(seed), np.random.default_rng(seed)
    for shot in shots:
        arrangement = arrange(shot.scene, dice)
        phase = dice.uniform(0, 2 * math.pi)
        for number in range(round(shot.seconds * FPS)):
            angle = phase + 2 * math.pi * number / (4 * FPS)
            shift = (DRIFT * math.cos(angle), DRIFT * math.sin(angle))
            picture = draw(shot.scene, arrangement, size, shift)
            noisy = picture + noise.normal(0, NOISE, picture.shape)
            yield noisy.round().clip(0, 255).astype(np.uint8)


def _spoken(words: str) -> np.ndarray:
    start, end = (round(seconds * SAMPLE_RATE_HZ) for seconds in SPEECH[words])
    return speech_samples()[start:end]


def speech_samples() -> np.ndarray:
    """int16 `[176000]`, mono, 16 kHz: 11 s of clear speech."""
    with av.open(str(RECORDING), "r") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames)


def _write(
    file: Path | io.BytesIO,
    frames: Iterable[np.ndarray],
    sound: np.ndarray | None,
    options: dict[str, str],
    **container_options: Any,
) -> None:
    with av.open(file, "w", **container_options) as container:
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.pix_fmt = "yuv420p"
        rate = SAMPLE_RATE_HZ
        audio = None if sound is None else container.add_stream("aac", rate=rate, layout="mono")
        for number, picture in enumerate(frames):
            if number == 0:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            spoken = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
            spoken.sample_rate, spoken.pts, spoken.time_base = rate, 0, Fraction(1, rate)
            container.mux(audio.encode(spoken))
            container.mux(audio.encode(None))
