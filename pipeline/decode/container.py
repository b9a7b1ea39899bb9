"""An open file: its video stream, its packets, and the frames that decode from them.

FFmpeg's errors stop here: each becomes a VideoError, or a file with gaps.
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
from av.stream import Stream
from av.video.stream import VideoStream

from pipeline.decode.tracks import choose_video
from pipeline.errors import Stage, VideoError

Packet: TypeAlias = "av.Packet[Any]"
Decodable: TypeAlias = VideoStream | AudioStream

_PLAYLISTS = frozenset({"concat", "dash", "hls"})

_READ_ERRORS = (
    av.error.InvalidDataError,
    av.error.PatchWelcomeError,
    av.error.OSError,
    av.error.MemoryError,
)

_TS_DISCONT = 0x200  # AVFMT_TS_DISCONT of FFmpeg's libavformat/avformat.h

_MAX_ASPECT = 1000
"""Longer side over shorter side; scaling a narrower picture up to CLIP's input takes gigabytes."""


def ffmpeg_version() -> str:
    """Versions of the libraries of FFmpeg that decode."""
    versions = av.library_versions
    return " ".join(".".join(map(str, versions[name])) for name in ("libavformat", "libavcodec"))


@dataclass(frozen=True, eq=False)
class OpenVideo:
    """Reads the packets of an open file.

    Args:
        container: the open file.
        stream: its video stream.
        timeout_seconds: longest time that reading may make no progress.
        beat: called with each packet.
    """

    container: InputContainer
    stream: VideoStream
    timeout_seconds: float
    beat: Callable[[], None]

    @property
    def may_restart(self) -> bool:
        """Whether the format's timestamps may begin again midway: transport streams', not MP4's."""
        return bool(self.container.format.flags & _TS_DISCONT)

    def packets(self, *others: Stream) -> Iterator[Packet]:
        """Packets of the video and of other streams, from the file's current position."""
        stall = StallDetector(self.timeout_seconds)
        for packet in packets(self.container, [self.stream, *others], stall):
            self.beat()
            yield packet


class StallDetector:
    """Notices that reading a file makes no progress: it hangs, or goes round in circles.

    Args:
        timeout_seconds: longest time that the farthest position may stay the same.
        now: a clock, seconds.
    """

    def __init__(self, timeout_seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._moved = now()
        self._farthest: dict[tuple[int, str], int] = {}

    def note(self, stream: int, **positions: int | None) -> None:
        """Take in where a packet lies.

        Args:
            stream: index of the packet's stream.
            positions: by unit: the byte, the timestamp.

        Raises:
            VideoError: no position has advanced for too long.
        """
        for unit, position in positions.items():
            if position is not None and position > self._farthest.get((stream, unit), position - 1):
                self._farthest[stream, unit] = position
                self._moved = self._now()
        if self._now() - self._moved > self._timeout_seconds:
            limit = f"decode.timeout_seconds = {self._timeout_seconds:g}"
            raise VideoError(Stage.DECODE, f"reading it made no progress for longer than {limit}")


@contextmanager
def open_video(
    location: Path,
    max_megapixels: float,
    timeout_seconds: float = inf,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[OpenVideo]:
    """Open the video stream that a player would show, to be decoded by one core.

    Args:
        location: the file.
        max_megapixels: larger pictures are refused.
        timeout_seconds: longest time that reading may make no progress.
        beat: called with each packet.

    Raises:
        VideoError: the file cannot be read or has no video stream, or FFmpeg gives up on it.
    """
    with open_bytes(location) as file:
        if not file.read(1):
            raise VideoError(Stage.DECODE, "the file is empty")
    with _open(location) as container:
        try:
            stream = choose_video(container)
            check_size(stream.codec_context.width, stream.codec_context.height, max_megapixels)
            # With frame threading, skip_frame would apply to packets already being decoded.
            stream.thread_count = 1
            stream.thread_type = "NONE"
            yield OpenVideo(container, stream, timeout_seconds, beat)
        except av.error.FFmpegError as error:
            raise VideoError(Stage.DECODE, _reason(error)) from error


@contextmanager
def open_bytes(location: Path) -> Iterator[BufferedReader]:
    """Open a file to read its bytes.

    Raises:
        VideoError: the file cannot be read.
    """
    try:
        with location.open("rb") as file:
            yield file
    except OSError as error:
        raise VideoError(Stage.READ, error.strerror or str(error)) from error


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Refuse a picture that would take too much memory.

    Args:
        width: pixels.
        height: pixels.
        max_megapixels: most pixels, in millions.

    Raises:
        VideoError: the picture is larger than the limit, or too thin.
    """
    shown = f"its pictures are {width} x {height}"
    if width * height > max_megapixels * 1e6:
        limit = f"decode.max_megapixels = {max_megapixels:g}"
        raise VideoError(Stage.DECODE, f"{shown}, more than {limit} allows")
    if max(width, height) > _MAX_ASPECT * max(min(width, height), 1):
        raise VideoError(Stage.DECODE, f"{shown}: too thin for a picture")


def packets(
    container: InputContainer, streams: Sequence[Stream], stall: StallDetector
) -> Iterator[Packet]:
    """Yield all packets with data, from the file's current position.

    A file that breaks off midway ends there, and so does one with a packet that claims gigabytes.

    Args:
        container: the open file.
        streams: whose packets to read.
        stall: takes in where each packet lies.

    Raises:
        VideoError: reading makes no progress.
    """
    try:
        for packet in container.demux(streams):
            if packet.size:  # a packet without data would mark the end for the decoder
                stall.note(packet.stream_index, byte=packet.pos, time=packet.dts)
                yield packet
    except _READ_ERRORS:
        return
    except IndexError:  # PyAV at the end of a file in which new streams turned up on the way
        return


def decoded(stream: Decodable, packet: Packet | None) -> list[Any]:
    """Frames that a packet completes, or, at the end (None), that the decoder still holds.

    A damaged packet gives none. Decoders report damage with all kinds of errors: AAC's is
    "operation not permitted".
    """
    try:
        frames: list[Any] = stream.decode(packet)
        return frames
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        return []


def _open(location: Path) -> InputContainer:
    # A file may refer to others; nothing is fetched over a network.
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{location}", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise VideoError(
            Stage.DECODE, f"not a video, or a damaged one: {_reason(error)}"
        ) from error
    if container.format.name in _PLAYLISTS:
        container.close()
        raise VideoError(Stage.DECODE, "it is a playlist, a list of other files")
    return container


def _reason(error: av.error.FFmpegError) -> str:
    """FFmpeg's own message, without the number and the path that PyAV adds."""
    return error.strerror or str(error)
