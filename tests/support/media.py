"""Clips of every kind that the program meets, made with PyAV: small, and equal every time.

    make_video(path, seconds=2, fps=25, codec="hevc", audio="speech", rotation=90)
    make(folder, "vp9.webm")      one of CATALOGUE

Each is encoded once for all test runs.

Every frame carries its number: `read_frame_number` (of tests/support/pictures.py) reads it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.demo.videos import speech_samples
from tests.support.cache import made_once
from tests.support.pictures import draw, read_frame_number
from tests.support.sounds import Sound, SoundTrack, synthesise

__all__ = [
    "BROKEN",
    "CATALOGUE",
    "VIDEOS",
    "encode_video",
    "frame_times",
    "make",
    "make_audio",
    "make_video",
    "read_frame_number",
]  # fmt: skip

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder writes to stderr: errors only

# Quick to encode, and good enough that frame numbers and colours survive.
ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast", "crf": "20"}),
    "hevc": ("libx265", {"preset": "ultrafast", "crf": "20", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}),
    "av1": ("libsvtav1", {"preset": "10", "crf": "25"}),
    "mpeg4": ("mpeg4", {"qmin": "2", "qmax": "4"}),
}


# Frame durations of a variable rate, in frames of the nominal one: 2.5 on average.
VARIABLE_DURATIONS = (1, 1, 6, 1, 4, 2)


def make_video(path: Path, **options: Any) -> np.ndarray:
    """Write a video, of which all is as `encode_video` says."""
    made = [path.suffix, *sorted(options.items()), av.__version__, *_sources()]
    name = hashlib.sha256(repr(made).encode()).hexdigest()[:16] + path.suffix
    shutil.copyfile(made_once(f"clips/{name}", partial(encode_video, **options)), path)
    return frame_times(**options)


@functools.cache
def _sources() -> list[str]:
    """What decides how a video looks and sounds."""
    sources = (
        inspect.getfile(each)
        for each in (read_frame_number, synthesise, speech_samples, make_video)
    )
    return [Path(source).read_text(encoding="utf-8") for source in sources]


def encode_video(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: int = 25,
    width: int = 160,
    height: int = 120,
    codec: str = "h264",
    pix_fmt: str = "yuv420p",
    audio: Sound | None = None,
    rotation: int = 0,
    is_mirrored: bool = False,
    variable_rate: bool = False,
    start_seconds: float = 0.0,
    keyframe_interval: int = 12,
    b_frames: int = 0,
    sample_aspect_ratio: Fraction | None = None,
    pictures: int = 0,
) -> np.ndarray:
    """Write a video; the container follows from the path's suffix.

    Args:
        path: to write.
        seconds: duration; at least one frame is written.
        fps: frames a second, a whole number.
        width: of the picture as stored, before rotation, in pixels.
        height: likewise.
        codec: a key of ENCODERS.
        pix_fmt: FFmpeg's name of the pixel format.
        audio: kind of sound, or None for no audio stream.
        rotation: degrees counter-clockwise by which a player turns the picture to show it
            upright, as PyAV's `VideoFrame.rotation`: 0, 90, 180 or 270.
        is_mirrored: let a player then mirror it left to right.
        variable_rate: let frames last for VARIABLE_DURATIONS in turn.
        start_seconds: time of the first frame and of the first sound.
        keyframe_interval: most frames from one keyframe to the next.
        b_frames: most B frames in a row.
        sample_aspect_ratio: a stored pixel's width over its height, if not 1.
        pictures: seed of the drawn pictures.

    Returns:
        Times of the frames in the file, float64 `[n]`, seconds.
    """
    steps = _steps(seconds, fps, variable_rate)
    first = round(start_seconds * fps)
    encoder, options = ENCODERS[codec]
    with (
        _usual_priority(),
        av.open(path, "w", options={"fflags": "+bitexact"}) as container,
    ):
        video = container.add_stream(encoder, rate=fps, options=options)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = Fraction(1, fps)
        video.codec_context.gop_size = keyframe_interval
        video.codec_context.max_b_frames = b_frames
        if sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if rotation or is_mirrored:
            video.set_display_rotation(rotation, hflip=is_mirrored)
        sound = SoundTrack(container, audio, path, seconds, start_seconds) if audio else None
        look = {"seed": pictures, "pixel_aspect": float(sample_aspect_ratio or 1)}
        for index, step in enumerate(steps):
            shown = (width, height) if rotation % 180 == 0 else (height, width)
            rgb = _stored(draw(index, *shown, **look), rotation, is_mirrored=is_mirrored)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = first + step, Fraction(1, fps)
            container.mux(video.encode(frame))
            if sound:
                sound.write_until(step / fps)
        container.mux(video.encode(None))
        if sound:
            sound.close()
    return frame_times(seconds, fps, variable_rate=variable_rate, start_seconds=start_seconds)


def frame_times(
    seconds: float = 2.0,
    fps: int = 25,
    *,
    variable_rate: bool = False,
    start_seconds: float = 0.0,
    **_: object,
) -> np.ndarray:
    """When the frames of a video are shown, by the arguments of `make_video`: float64 `[n]`."""
    return (round(start_seconds * fps) + np.array(_steps(seconds, fps, variable_rate))) / fps


def make_audio(path: Path, *, seconds: float = 2.0, audio: Sound = "speech") -> None:
    """Write a file with an audio stream and no video stream."""
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        SoundTrack(container, audio, path, seconds, 0.0).close()


@contextmanager
def _usual_priority() -> Iterator[None]:
    """Restore the thread's priority: the AV1 encoder, run by root, leaves it at real time.

    Processes started later inherit that, and threads of theirs that spin let nothing else run.
    """
    if not hasattr(os, "sched_setscheduler"):  # only Linux has it
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def _steps(seconds: float, fps: int, variable_rate: bool) -> list[int]:
    """When the frames are shown, in units of 1/fps."""
    total = max(1, round(seconds * fps))
    if not variable_rate:
        return list(range(total))
    ends = np.cumsum(np.resize(VARIABLE_DURATIONS, total))
    return [0, *(int(end) for end in ends if end < total)]


def _stored(seen: np.ndarray, rotation: int, *, is_mirrored: bool) -> np.ndarray:
    """The frame as it is stored: what is seen, mirrored back and turned back clockwise."""
    return np.rot90(seen[:, ::-1] if is_mirrored else seen, -rotation // 90).copy()


def _cut(path: Path, share: float, **options: Any) -> None:
    """Write a video of which only the first `share` of the bytes is kept."""
    make_video(path, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


# Name -> arguments of `make_video`. Each clip has pictures of its own, so that vectors differ.
VIDEOS: dict[str, dict[str, Any]] = {
    "no_audio.mp4": {"pictures": 1},
    "silent_audio.mp4": {"audio": "silence", "pictures": 2},
    "tone.mp4": {"audio": "tone", "pictures": 3},
    "music.mp4": {"seconds": 5, "audio": "music", "pictures": 4},
    "speech.mp4": {"seconds": 11, "fps": 10, "audio": "speech", "pictures": 5},
    "long.mp4": {
        "seconds": 70,
        "fps": 4,
        "width": 96,
        "height": 72,
        "audio": "speech",
        "keyframe_interval": 50,
        "pictures": 6,
    },
    "portrait.mp4": {"width": 120, "height": 214, "pictures": 7},
    "rotated_90.mp4": {"rotation": 90, "pictures": 8},
    "rotated_180.mp4": {"rotation": 180, "pictures": 9},
    "rotated_270.mov": {"rotation": 270, "pictures": 10},
    "variable_rate.mp4": {"seconds": 4, "variable_rate": True, "pictures": 11},
    "variable_rate.mkv": {"seconds": 4, "variable_rate": True, "audio": "speech", "pictures": 12},
    "b_frames.mp4": {"b_frames": 3, "keyframe_interval": 30, "pictures": 13},
    "one_keyframe.mp4": {"keyframe_interval": 1000, "b_frames": 2, "pictures": 14},
    "hevc.mp4": {"codec": "hevc", "b_frames": 2, "pictures": 15},
    "vp9.webm": {"codec": "vp9", "audio": "speech", "pictures": 16},
    "av1.mp4": {"codec": "av1", "pictures": 17},
    "mpeg4.mp4": {"codec": "mpeg4", "pictures": 18},
    "mpeg4.avi": {"codec": "mpeg4", "audio": "speech", "pictures": 19},
    "ten_bit.mp4": {"codec": "hevc", "pix_fmt": "yuv420p10le", "pictures": 20},
    "odd_size.webm": {"codec": "vp9", "width": 161, "height": 121, "pictures": 21},
    "odd_size_444.mp4": {"width": 131, "height": 97, "pix_fmt": "yuv444p", "pictures": 22},
    "wide_pixels.mp4": {"sample_aspect_ratio": Fraction(4, 3), "pictures": 23},
    "late_start.mp4": {"start_seconds": 1.4, "audio": "speech", "b_frames": 2, "pictures": 24},
    "late_start.mkv": {"start_seconds": 10.0, "audio": "speech", "pictures": 25},
    "one_frame.mp4": {"seconds": 0.04, "pictures": 26},
}

Maker = Callable[[Path], object]

# Name -> maker(path): clips that have no picture to show, or not all of them.
BROKEN: dict[str, Maker] = {
    "audio_only.mp4": lambda path: make_audio(path),
    "zero_bytes.mp4": lambda path: path.write_bytes(b""),
    "no_index.mp4": lambda path: _cut(path, 0.6, pictures=27),  # cut before the moov box
    "cut_short.mkv": lambda path: _cut(path, 0.6, pictures=28),  # what is there can be decoded
    "not_a_video.mp4": lambda path: path.write_text("This is not a video.\n" * 50),
}

CATALOGUE: dict[str, Maker] = BROKEN | {
    name: partial(make_video, **options) for name, options in VIDEOS.items()
}


def make(folder: Path, name: str) -> Path:
    """Make a clip of CATALOGUE in `folder` and return its path."""
    path = folder / name
    CATALOGUE[name](path)
    return path
