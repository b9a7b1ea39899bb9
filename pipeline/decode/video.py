"""From a video file to the frames that stand for it, and its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from pipeline.decode.audio import AudioCollector, Sound
from pipeline.decode.container import open_video
from pipeline.decode.frames import FrameReader, Reopen, SampledFrames
from pipeline.decode.images import display_size, thumbnail, to_image
from pipeline.decode.keyframes import KeyframeReader
from pipeline.decode.packets import PacketIndex, index_packets
from pipeline.decode.tracks import rank_audio
from pipeline.errors import VideoError
from pipeline.records import Frames, Prepare, Stage

FARTHEST_SECONDS = 3600.0
"""Sound that claims to start farther than this from the first frame has a broken clock."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What was read of a file.

    Args:
        frames: None where none were wanted.
        sound: None where the file has none that decodes, or none was wanted.
        duration_seconds: until pictures and sound have ended.
        width: pixels, as a person sees the video.
        height: likewise.
    """

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
    """Read uniformly spaced frames and the sound of a video, on one core.

    Args:
        location: the file.
        n_frames: number of frames; 0 for none.
        want_sound: whether to decode the sound.
        prepare: makes the image encoder's input of a picture.
        max_megapixels: larger pictures are refused.
        timeout_seconds: longest time that reading may make no progress.
        at_keyframes: take the keyframe nearest to each frame in its place: far less work. A
            keyframe that is nearest to several of them counts as often in their mean. A video
            without a keyframe that decodes gives its exact frames.
        beat: called whenever reading goes on.

    Raises:
        VideoError: the file cannot be opened, has no video stream, or nothing of it decodes.
    """
    reopen = partial(open_video, location, max_megapixels, timeout_seconds, beat)
    with reopen() as video:
        tracks = rank_audio(video.container) if want_sound else []
        audio = AudioCollector(tracks[0], may_restart=video.may_restart) if tracks else None
        index = index_packets(video, audio)
        if not index.timestamps:
            raise VideoError(Stage.DECODE, "the video stream has no frames")
        sound = audio.finish() if audio else None
        for rank in range(1, len(tracks)):
            sound = sound or _read_sound(reopen, rank)
        if sound:
            sound = replace(sound, start_seconds=_sound_start(sound, index))
        # One frame is read in any case: only a decoded one tells which way is up.
        n = max(n_frames, 1)
        sampled = KeyframeReader(video, index, reopen).read(n) if at_keyframes else None
        sampled = sampled or FrameReader(video, index, reopen).read(n)
        width, height = display_size(sampled.frames[0], video.stream)

        def convert(frame: VideoFrame) -> Image.Image:
            beat()
            return to_image(frame, video.stream, max_megapixels)

        return Contents(
            _to_record(sampled, index.total, convert, prepare) if n_frames else None,
            sound,
            max(index.duration_seconds, sound.end_seconds if sound else 0.0),
            width,
            height,
        )


def _read_sound(reopen: Reopen, rank: int) -> Sound | None:
    """The sound of the track with this rank, where better ones do not decode."""
    with reopen() as video:
        track = rank_audio(video.container)[rank]
        audio = AudioCollector(track, may_restart=video.may_restart)
        index_packets(video, audio)
        return audio.finish()


def _sound_start(sound: Sound, index: PacketIndex) -> float:
    """When the sound starts, counted from the first frame."""
    start = sound.start_seconds - index.start_seconds
    return start if abs(start) <= FARTHEST_SECONDS else 0.0


def _to_record(
    sampled: SampledFrames,
    total: int,
    convert: Callable[[VideoFrame], Image.Image],
    prepare: Prepare,
) -> Frames:
    """Prepare each frame once, with one full picture in memory at a time."""
    middle = sampled.frames[len(sampled.frames) // 2]
    small = b""
    pixels: dict[int, np.ndarray] = {}
    for frame in sampled.frames:
        if id(frame) not in pixels:
            image = convert(frame)
            pixels[id(frame)] = prepare(image)
            small = thumbnail(image) if frame is middle else small
    return Frames(
        pixels=np.stack([pixels[id(frame)] for frame in sampled.frames]),
        times=np.array(sampled.seconds),
        readable=sampled.readable,
        total=total,
        thumbnail=small,
    )
