"""Clips such as phones make, made on the spot: h264 with AAC, upright, with a hand that shakes,
detail everywhere, things that move, and a sensor that is noisy. Made once, kept in `.cache`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import sin
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.benchmarks.measure import ROOT
from tests.benchmarks.recordings import PAUSE_SECONDS, read_sound, recordings
from tests.support.sounds import RATE_HZ, Sound, synthesise

CLIPS = ROOT / ".cache" / "benchmarks" / "clips"
MARGIN = 160  # pixels around the picture that the camera moves in
NOISE = 12  # of the sensor, grey levels from least to most
DETAIL = (400, 120, 40, 12, 4)  # sizes of what is to be seen, pixels
FINER_IS_WEAKER = 0.6


@dataclass(frozen=True)
class Phone:
    """A clip to be made.

    Args:
        keyframe_interval: frames from one keyframe to the next.
        b_frames: most B frames in a row; most phones write none, most services that re-encode do.
    """

    seconds: float = 30.0
    width: int = 1080
    height: int = 1920
    fps: int = 25
    keyframe_interval: int = 25
    b_frames: int = 3
    sound: Sound = "music"

    @property
    def name(self) -> str:
        size = f"{self.width}x{self.height}"
        return f"h264 {size} {self.fps} fps, {self.keyframe_interval} apart, {self.b_frames} B"

    def path(self) -> Path:
        """The clip, made if it is not there yet."""
        path = CLIPS / f"{self.name}, {self.seconds:g} s, {self.sound}.mp4"
        if not path.exists():
            CLIPS.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished.mp4")
            self._write(unfinished)
            unfinished.rename(path)
        return path

    def _write(self, path: Path) -> None:
        with av.open(str(path), "w") as container:
            options = {"preset": "veryfast", "crf": "23", "sc_threshold": "0"}
            video = container.add_stream("libx264", rate=self.fps, options=options)
            video.width, video.height, video.pix_fmt = self.width, self.height, "yuv420p"
            video.codec_context.gop_size = self.keyframe_interval
            video.codec_context.max_b_frames = self.b_frames
            audio = container.add_stream("aac", rate=48_000, layout="stereo")
            for index, planes in enumerate(self._pictures()):
                frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, self.fps)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            for sound in _pieces(self._heard()):
                container.mux(audio.encode(sound))
            container.mux(audio.encode(None))

    def _heard(self) -> np.ndarray:
        """int16 `[n]` at RATE_HZ."""
        return (
            _talk(self.seconds) if self.sound == "speech" else synthesise(self.sound, self.seconds)
        )

    def _pictures(self) -> Iterator[np.ndarray]:
        """uint8 `[height * 3 / 2, width]`: Y, then U and V at half the size."""
        dice = np.random.default_rng(1)
        width, height = self.width, self.height
        around = (height + 2 * MARGIN, width + 2 * MARGIN)
        luma = (20 + 200 * _texture(dice, around)).astype(np.uint8)
        half = (around[0] // 2, around[1] // 2)
        chroma = [(90 + 76 * _texture(dice, half)).astype(np.uint8) for _ in range(2)]
        noise = dice.integers(0, NOISE, (height + 64, width + 64), dtype=np.uint8)
        side = width // 4
        for index in range(round(self.seconds * self.fps)):
            t = index / self.fps
            x = 2 * round(MARGIN / 2 + 50 * sin(0.7 * t) + 3 * sin(9 * t))
            y = 2 * round(MARGIN / 2 + 50 * sin(0.5 * t + 1) + 3 * sin(7 * t))
            picture = luma[y : y + height, x : x + width].copy()
            left = round((width - side) * (0.5 + 0.4 * sin(1.3 * t)))
            top = round((height - side) * (0.5 + 0.4 * sin(1.7 * t)))
            picture[top : top + side, left : left + side] = luma[:side, :side]
            at = dice.integers(0, 64, 2)
            picture += noise[at[0] : at[0] + height, at[1] : at[1] + width]
            rows, columns = slice(y // 2, (y + height) // 2), slice(x // 2, (x + width) // 2)
            planes = [picture, *(plane[rows, columns] for plane in chroma)]
            yield np.concatenate([plane.ravel() for plane in planes]).reshape(-1, width)


def _talk(seconds: float) -> np.ndarray:
    """int16 `[n]`: recordings one after the other, other ones first for other lengths. One over and
    over looks to Whisper like a decoder in a loop, and takes it many times as long."""
    spoken = [r.samples for r in recordings() if r.language == "en" and r.kind != "minutes"]
    spoken.append(read_sound(ROOT / "tests/assets/nasa_13013.mp4"))
    first = round(seconds) % len(spoken)
    pause = np.zeros(round(PAUSE_SECONDS * RATE_HZ), np.int16)
    parts = [part for each in spoken[first:] + spoken[:first] for part in (each, pause)]
    return np.resize(np.concatenate(parts), round(seconds * RATE_HZ))


def _texture(dice: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """float32 `shape`, 0 to 1: smooth noise of every size in DETAIL."""
    total = np.zeros(shape, np.float32)
    for order, size in enumerate(DETAIL):
        coarse = dice.random((shape[0] // size + 2, shape[1] // size + 2), dtype=np.float32)
        smooth = Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC)
        total += FINER_IS_WEAKER**order * (np.asarray(smooth) - 0.5)
    return np.clip(0.5 + total, 0, 1)


def _pieces(samples: np.ndarray) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), 1024):
        piece = samples[None, start : start + 1024]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "s16", "mono")
        frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        frame.pts = start
        yield frame
