"""An open file: its video stream, its packets, and what decodes of them.

Errors of FFmpeg go no further than this module: they become a VideoError, or a file with gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from pipeline.errors import VideoError
from pipeline.records import Stage

Packet: TypeAlias = "av.Packet[Any]"
Decodable: TypeAlias = VideoStream | AudioStream

_LISTS = frozenset({"concat", "dash", "hls"})

_BREAKS_OFF = (
    av.error.InvalidDataError,
    av.error.PatchWelcomeError,
    av.error.OSError,
    av.error.MemoryError,
)

_LONGEST_TO_SHORTEST = 1000
"""Of a picture's sides: scaling the short one of more than that up to CLIP's takes gigabytes."""


@dataclass(frozen=True, eq=False)
class Video:
    """An open file and its video stream; it may go so long without a new packet, and beats with
    each."""

    container: InputContainer
    stream: VideoStream
    timeout_seconds: float
    beat: Callable[[], None]

    def packets(self, *others: Stream) -> Iterator[Packet]:
        """Those of the video, and of other streams, from where the file stands."""
        progress = Progress(self.timeout_seconds)
        for packet in packets(self.container, [self.stream, *others], progress):
            self.beat()
            yield packet


class Progress:
    """How far a file has been read, and that it does go on.

    Args:
        timeout_seconds: how long the farthest place may stay the same.
        now: a clock, seconds.
    """

    def __init__(self, timeout_seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._moved = now()
        self._farthest: dict[tuple[int, str], int] = {}

    def note(self, stream: int, **places: int | None) -> None:
        """A packet of a stream lies at these places, each of its own kind (bytes, a timestamp).

        Raises:
            VideoError: nothing has been farther on for too long.
        """
        for kind, place in places.items():
            if place is not None and place > self._farthest.get((stream, kind), place - 1):
                self._farthest[stream, kind] = place
                self._moved = self._now()
        if self._now() - self._moved > self._timeout_seconds:
            limit = f"decode.timeout_seconds = {self._timeout_seconds:g}"
            raise VideoError(Stage.DECODE, f"reading it comes no farther, for longer than {limit}")


@contextmanager
def open_video(
    location: Path,
    max_megapixels: float,
    timeout_seconds: float = inf,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[Video]:
    """The first video stream that is more than a cover picture, to be decoded by one core.

    Raises:
        VideoError: the file cannot be read or has no such stream, or FFmpeg gives up on it.
    """
    with open_bytes(location) as file:
        if not file.read(1):
            raise VideoError(Stage.DECODE, "the file is empty")
    with _open(location) as container:
        try:
            stream = _video_stream(container, max_megapixels)
            yield Video(container, stream, timeout_seconds, beat)
        except av.error.FFmpegError as error:
            raise VideoError(Stage.DECODE, _reason(error)) from error


@contextmanager
def open_bytes(location: Path) -> Iterator[BufferedReader]:
    """The file as it is.

    Raises:
        VideoError: it cannot be read.
    """
    try:
        with location.open("rb") as file:
            yield file
    except OSError as error:
        raise VideoError(Stage.READ, error.strerror or str(error)) from error


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Raises:
    VideoError: the picture is larger than the limit, or hardly more than a line.
    """
    shown = f"its pictures are {width} x {height}"
    if width * height > max_megapixels * 1e6:
        limit = f"decode.max_megapixels = {max_megapixels:g}"
        raise VideoError(Stage.DECODE, f"{shown}, more than {limit} allows")
    if max(width, height) > _LONGEST_TO_SHORTEST * max(min(width, height), 1):
        raise VideoError(Stage.DECODE, f"{shown}, hardly more than a line")


def packets(
    container: InputContainer, streams: Sequence[Stream], progress: Progress
) -> Iterator[Packet]:
    """All packets with data, from where the file stands; one that breaks off midway ends there,
    and so does one with a packet that claims gigabytes.

    Raises:
        VideoError: the file goes round in circles.
    """
    try:
        for packet in container.demux(streams):
            if packet.size:  # one without data would tell the decoder that this is the end
                progress.note(packet.stream_index, byte=packet.pos, time=packet.dts)
                yield packet
    except _BREAKS_OFF:
        return
    except IndexError:  # PyAV at the end of a file in which new streams turned up on the way
        return


def decoded(stream: Decodable, packet: Packet | None) -> list[Any]:
    """The frames that a packet completes, or at the end (None) those that are still to come; none
    where it is damaged.

    Decoders have all kinds of errors for damage: AAC says "operation not permitted".
    """
    try:
        frames: list[Any] = stream.decode(packet)
        return frames
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        return []


def _open(location: Path) -> InputContainer:
    # Whatever the file says, nothing is fetched over a network.
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{location}", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise VideoError(
            Stage.DECODE, f"not a video, or a damaged one: {_reason(error)}"
        ) from error
    if container.format.name in _LISTS:
        container.close()
        raise VideoError(Stage.DECODE, "it is a list of other files")
    return container


def _reason(error: av.error.FFmpegError) -> str:
    """What FFmpeg says, without the number and the path that PyAV wraps around."""
    return error.strerror or str(error)


def _video_stream(container: InputContainer, max_megapixels: float) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(Stage.DECODE, "it has no video stream" + _what_it_has(container))
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise VideoError(Stage.DECODE, "its video codec is not known to this build of FFmpeg")
    check_size(context.width, context.height, max_megapixels)
    # Frame threading would also blur what skip_frame applies to.
    stream.thread_count = 1
    stream.thread_type = "NONE"
    return stream


def _what_it_has(container: InputContainer) -> str:
    if container.streams.audio:
        return ", only sound"
    return "" if len(container.streams) else ", nor any other"
