"""From a video file to the frames that stand for it, and its sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from pipeline.decode.audio import AudioCollector, Sound
from pipeline.decode.container import OpenVideo, open_video
from pipeline.decode.frames import FrameReader, Reopen, SampledFrames
from pipeline.decode.images import display_size, thumbnail, to_image
from pipeline.decode.keyframes import KeyframeReader
from pipeline.decode.packets import PacketIndex, index_packets
from pipeline.decode.sampling import spaced_moments
from pipeline.decode.tracks import rank_audio
from pipeline.errors import Stage, VideoError
from pipeline.records import Frames, Moments, Prepare
from store.schema import LONG_SECONDS

FARTHEST_SECONDS = 3600.0
"""Sound that claims to start farther than this from the first frame has a broken clock: both are
taken to start together."""

MOST_MOMENTS = 120
"""Most frames of a long video that only searches look at: 18 MB of pixels, 120 kB in its row."""

LEAD_SECONDS = 0.1
"""Encoders let the sound start up to three frames (67 ms of real clips) before the pictures; so
little does not count, and the first frame stays the start of the video."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What was read of a file.

    Args:
        frames: None where none were wanted.
        moments: None where none were wanted, the video is too short, or no keyframe decodes.
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
    moments: Moments | None = None


def read_video(
    location: Path,
    *,
    n_frames: int,
    want_sound: bool,
    prepare: Prepare,
    max_megapixels: float,
    timeout_seconds: float = inf,
    at_keyframes: bool = False,
    moments_seconds: float = 0.0,
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
        moments_seconds: also take keyframes, the nearest to moments that are this far apart, where
            the pictures last longer than a minute; 0 for none.
        beat: called whenever reading goes on.

    Raises:
        VideoError: the file cannot be opened, has no video stream, or nothing of it decodes.
    """
    reopen = partial(open_video, location, max_megapixels, timeout_seconds, beat)
    with reopen() as video:
        index, sound = _read_packets(video, reopen, start_only=not want_sound)
        pictures_start, sound_start = _starts(index.start_seconds, sound)
        sound = replace(sound, start_seconds=sound_start) if sound and want_sound else None
        # One frame is read in any case: only a decoded one tells which way is up.
        n = max(n_frames, 1)
        sampled = KeyframeReader(video, index, reopen).read(n) if at_keyframes else None
        sampled = sampled or FrameReader(video, index, reopen).read(n)
        width, height = display_size(sampled.frames[0], video.stream)

        def convert(frame: VideoFrame) -> Image.Image:
            beat()
            return to_image(frame, video.stream, max_megapixels)

        frames = None
        if n_frames:
            frames = _to_record(sampled, pictures_start, index.total, convert, prepare)
        moments = None
        if moments_seconds and index.duration_seconds > LONG_SECONDS:
            wanted = spaced_moments(index.duration_seconds, moments_seconds, MOST_MOMENTS)
            found = KeyframeReader(video, index, reopen).near(wanted)
            moments = _to_moments(found, pictures_start, convert, prepare)
        end = max(pictures_start + index.duration_seconds, sound.end_seconds if sound else 0.0)
        return Contents(frames, sound, end, width, height, moments)


def _read_packets(
    video: OpenVideo, reopen: Reopen, *, start_only: bool
) -> tuple[PacketIndex, Sound | None]:
    """Index the pictures, and collect the sound of the best track that decodes."""
    audio = _collector(video, 0, start_only=start_only)
    index = index_packets(video, audio)
    if not index.timestamps:
        raise VideoError(Stage.DECODE, "the video stream has no frames")
    sound = audio.finish() if audio else None
    rank = 0
    while audio and not sound:
        rank += 1
        with reopen() as again:
            if audio := _collector(again, rank, start_only=start_only):
                index_packets(again, audio)
                sound = audio.finish()
    return index, sound


def _collector(video: OpenVideo, rank: int, *, start_only: bool) -> AudioCollector | None:
    """Collector of the audio track with this rank; None if there are fewer."""
    tracks = rank_audio(video.container)
    if rank >= len(tracks):
        return None
    return AudioCollector(tracks[rank], may_restart=video.may_restart, start_only=start_only)


def _starts(pictures: float, sound: Sound | None) -> tuple[float, float]:
    """When pictures and sound start, counted from the earlier of both.

    Args:
        pictures: timestamp of the first frame, seconds.
        sound: with its start as a timestamp.
    """
    delay = sound.start_seconds - pictures if sound else 0.0
    if abs(delay) > FARTHEST_SECONDS:
        return 0.0, 0.0
    return (-delay, 0.0) if delay < -LEAD_SECONDS else (0.0, delay)


def _to_record(
    sampled: SampledFrames,
    start_seconds: float,
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
        times=np.array(sampled.seconds) + start_seconds,
        readable=sampled.readable,
        total=total,
        thumbnail=small,
    )


def _to_moments(
    found: Iterable[tuple[float, VideoFrame]],
    start_seconds: float,
    convert: Callable[[VideoFrame], Image.Image],
    prepare: Prepare,
) -> Moments | None:
    """Prepare each frame as it is decoded, with one full picture in memory at a time."""
    made = [(start_seconds + seconds, prepare(convert(frame))) for seconds, frame in found]
    if not made:
        return None
    made.sort(key=lambda each: each[0])
    times, pixels = zip(*made, strict=True)
    return Moments(np.stack(pixels), np.array(times))
