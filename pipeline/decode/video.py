"""A video file -> the frames that stand for it, and its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from pipeline.decode.audio import Sound, first_audio
from pipeline.decode.container import open_video
from pipeline.decode.frames import Chosen, FrameReader, picture, seen_size
from pipeline.decode.images import thumbnail
from pipeline.decode.keyframes import KeyframeReader
from pipeline.decode.packets import Survey, survey_packets
from pipeline.errors import VideoError
from pipeline.records import Frames, Prepare, Stage


@dataclass(frozen=True, eq=False)
class Contents:
    """What was read of a file. `sound` is None where there is none, or none was asked for;
    `frames` is None where none were asked for. Width and height as a person sees the video."""

    frames: Frames | None
    sound: Sound | None
    duration_seconds: float
    width: int
    height: int


def read_video(
    location: Path,
    *,
    n_frames: int,
    want_sound: bool,
    prepare: Prepare,
    max_megapixels: float,
    timeout_seconds: float = inf,
    at_keyframes: bool = False,
    beat: Callable[[], None] = lambda: None,
) -> Contents:
    """Read `n_frames` uniformly spaced frames (0: none) and, if wanted, the sound of a video.

    With `at_keyframes`, the keyframe nearest to each of these takes its place: far less work. One
    that is nearest to several of them stands for each, so that it counts as often in their mean;
    a video without a keyframe that decodes gives its exact frames.

    Uses one core. Larger pictures are refused, and so is a file that comes no farther for so long.
    `beat` is called whenever reading it goes on.

    Raises:
        VideoError: the file cannot be opened, has no video stream, or nothing of it decodes.
    """
    reopen = partial(open_video, location, max_megapixels, timeout_seconds, beat)
    with reopen() as video:
        listener = first_audio(video.container) if want_sound else None
        survey = survey_packets(video, listener)
        if not survey.timestamps:
            raise VideoError(Stage.DECODE, "the video stream has no frames")
        sound = listener.finish(survey.start_seconds) if listener else None
        # One frame is read in any case: only a decoded one tells which way is up.
        n = max(n_frames, 1)
        chosen = KeyframeReader(video, survey, reopen).read(n) if at_keyframes else None
        chosen = chosen or FrameReader(video, survey, reopen).read(n)
        width, height = seen_size(chosen.frames[0], video.stream)

        def show(frame: VideoFrame) -> Image.Image:
            beat()
            return picture(frame, video.stream, max_megapixels)

        return Contents(
            _as_record(chosen, survey, show, prepare) if n_frames else None,
            sound,
            max(survey.duration_seconds, sound.end_seconds if sound else 0.0),
            width,
            height,
        )


def _as_record(
    chosen: Chosen, survey: Survey, show: Callable[[VideoFrame], Image.Image], prepare: Prepare
) -> Frames:
    """One full picture at a time is in memory; a frame that was chosen twice is shown once."""
    middle = chosen.frames[len(chosen.frames) // 2]
    small = b""
    pixels: dict[int, np.ndarray] = {}
    for frame in chosen.frames:
        if id(frame) not in pixels:
            image = show(frame)
            pixels[id(frame)] = prepare(image)
            small = thumbnail(image) if frame is middle else small
    return Frames(
        pixels=np.stack([pixels[id(frame)] for frame in chosen.frames]),
        times=np.array(chosen.seconds),
        readable=chosen.readable,
        total=survey.total,
        thumbnail=small,
    )
