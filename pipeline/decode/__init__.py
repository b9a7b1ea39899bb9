"""PyAV: a video file -> the frames that stand for it, and its sound. The only package that imports
av.

    packets   the pass over all packets: timestamps; on the way
    sound     the sound is decoded
    frames    the chosen frames, by seeking
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from pipeline.decode.frames import Chosen, FrameReader, check_size, picture, seen_size
from pipeline.decode.packets import Survey, survey_packets
from pipeline.decode.sound import Sound, first_listener
from pipeline.errors import VideoError
from pipeline.pictures import thumbnail
from pipeline.records import Frames

__all__ = ["Contents", "Prepare", "Sound", "content_hash", "read_video"]

Prepare = Callable[[Image.Image], np.ndarray]
"""From an upright picture to uint8 `[height, width, 3]` at the image encoder's input size."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What was read of a file. `sound` is None where there is none, or none was asked for;
    `frames` is None where none were asked for. Width and height as a person sees the video."""

    frames: Frames | None
    sound: Sound | None
    duration_seconds: float
    width: int
    height: int


def content_hash(location: Path) -> str:
    """BLAKE2b-128 of the file's bytes, in hexadecimal.

    Raises:
        VideoError: the file cannot be read.
    """
    with _bytes_of(location) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def read_video(
    location: Path,
    *,
    n_frames: int,
    want_sound: bool,
    prepare: Prepare,
    max_megapixels: float,
) -> Contents:
    """Read `n_frames` uniformly spaced frames (0: none) and, if wanted, the sound of a video.

    Uses one core.

    Raises:
        VideoError: the file cannot be opened, has no video stream, or nothing of it decodes.
    """
    with _opened(location) as container:
        stream = _video_stream(container, max_megapixels)
        listener = first_listener(container) if want_sound else None
        survey = survey_packets(container, stream, listener)
        if not survey.timestamps:
            raise VideoError("decode", "the video stream has no frames")
        sound = listener.finish(survey.start_seconds) if listener else None
        # One frame is read in any case: only a decoded one tells which way is up.
        chosen = FrameReader(container, stream, survey, max_megapixels).read(max(n_frames, 1))
        width, height = seen_size(chosen.frames[0], stream)
        show = lambda frame: picture(frame, stream, max_megapixels)  # noqa: E731
        return Contents(
            _as_record(chosen, survey, show, prepare) if n_frames else None,
            sound,
            max(survey.duration_seconds, sound.end_seconds if sound else 0.0),
            width,
            height,
        )


@contextmanager
def _bytes_of(location: Path) -> Iterator[BufferedReader]:
    try:
        with location.open("rb") as file:
            yield file
    except OSError as error:
        raise VideoError("read", error.strerror or str(error)) from error


@contextmanager
def _opened(location: Path) -> Iterator[InputContainer]:
    """The file, open; what FFmpeg raises becomes a VideoError."""
    with _bytes_of(location) as file:
        if not file.read(1):
            raise VideoError("decode", "the file is empty")
    try:
        # Whatever the file says, nothing is fetched from anywhere else.
        options = {"protocol_whitelist": "file"}
        with av.open(f"file:{location}", options=options, metadata_errors="replace") as container:
            yield container
    except av.error.InvalidDataError as error:
        raise VideoError("decode", f"not a video, or cut short: {error.strerror}") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError("decode", getattr(error, "strerror", None) or str(error)) from error


def _video_stream(container: InputContainer, max_megapixels: float) -> VideoStream:
    """The first video stream that is more than a cover picture, ready to be decoded."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError("decode", "it has no video stream" + _what_it_has(container))
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise VideoError("decode", "its video codec is not known to this build of FFmpeg")
    check_size(context.width, context.height, max_megapixels)
    # Each decode thread of ours uses one core; frame threading would also blur what skip_frame
    # applies to.
    stream.thread_count = 1
    stream.thread_type = "NONE"
    return stream


def _what_it_has(container: InputContainer) -> str:
    if container.streams.audio:
        return ", only sound"
    return "" if len(container.streams) else ", nor any other"


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
