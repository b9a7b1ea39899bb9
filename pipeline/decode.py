"""PyAV: a video file -> the frames that stand for it, and its sound. The only module that imports
av.

Two passes over an open file. The first reads every packet without decoding a picture: it yields the
true list of timestamps (counts and durations in headers are often wrong) and decodes the sound. The
second goes to the keyframe before each wanted timestamp and decodes on to it, skipping the frames
that no other frame refers to: the same pixels as from decoding everything, for a fraction of the
time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from pipeline.errors import VideoError
from pipeline.pictures import as_seen, display_size, thumbnail
from pipeline.records import SAMPLE_RATE_HZ, Frames
from pipeline.sampling import Visit, frame_indices, plan_visits

_TELLS_WHAT_IS_REFERRED_TO = frozenset({"h264", "hevc", "mpeg4", "vp8"})
"""Decoders that with skip_frame=NONREF leave out just the frames that no other refers to; H.263's,
for one, leaves out more and spoils what follows."""

Prepare = Callable[[Image.Image], np.ndarray]
"""From an upright picture to uint8 `[height, width, 3]` at the image encoder's input size."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Args:
    samples: int16 `[n]`, mono, 16 kHz.
    start_seconds: when the sound starts, from the first frame of the video on.
    """

    samples: np.ndarray
    start_seconds: float


@dataclass(frozen=True, eq=False)
class Contents:
    """What was read of a file. `sound` is None where there is none, or none was asked for;
    `frames` is None where none were asked for. Width and height as a person sees the video."""

    frames: Frames | None
    sound: Sound | None
    duration_seconds: float
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class _Survey:
    """What a pass over the packets tells: ascending timestamps of shown frames and of keyframes,
    how far the video reaches, and the sound."""

    timestamps: list[int]
    keyframes: list[int]
    end: int
    sound: Sound | None


def content_hash(location: Path) -> str:
    """BLAKE2b-128 of the file's bytes, in hexadecimal.

    Raises:
        VideoError: the file cannot be read.
    """
    try:
        with location.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise VideoError("read", error.strerror or str(error)) from error


def read_video(
    location: Path,
    *,
    n_frames: int,
    want_sound: bool,
    prepare: Prepare,
    max_megapixels: float,
) -> Contents:
    """Read `n_frames` uniformly spaced frames (0: none) and, if wanted, the sound of a video.

    Raises:
        VideoError: the file cannot be opened, has no video stream, or nothing of it decodes.
    """
    try:
        with av.open(str(location), metadata_errors="replace") as container:
            stream = _video_stream(container, max_megapixels)
            survey = _survey(container, stream, want_sound)
            if not survey.timestamps:
                raise VideoError("decode", "the video stream has no frames")
            frames = None
            if n_frames:
                reader = _FrameReader(container, stream, survey, max_megapixels)
                frames = _as_record(reader.read(n_frames), reader.readable, survey, stream, prepare)
            return _contents(stream, survey, frames)
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError("decode", _reason(error)) from error


def _video_stream(container: InputContainer, max_megapixels: float) -> VideoStream:
    pictures = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & pictures]
    if not streams:
        raise VideoError("decode", "it has no video stream" + _what_it_has(container))
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError("decode", "its video codec is not known to this build of FFmpeg")
    _check_size(stream.codec_context.width, stream.codec_context.height, max_megapixels)
    # Each decode thread of ours uses one core; frame threading would also blur what skip_frame
    # applies to.
    stream.thread_count = 1
    stream.thread_type = "NONE"
    return stream


def _what_it_has(container: InputContainer) -> str:
    if container.streams.audio:
        return ", only sound"
    return "" if len(container.streams) else ", nor any other"


def _check_size(width: int, height: int, max_megapixels: float) -> None:
    if width * height > max_megapixels * 1e6:
        raise VideoError(
            "decode",
            f"its pictures are {width} x {height}, more than decode.max_megapixels"
            f" = {max_megapixels:g} allows",
        )


def _survey(container: InputContainer, stream: VideoStream, want_sound: bool) -> _Survey:
    tracks = container.streams.audio if want_sound else ()
    listener = _Listener() if tracks else None
    shown: list[int] = []
    keyframes: list[int] = []
    end = 0
    for packet in _packets(container, [stream, *tracks[:1]]):
        if packet.stream is not stream:
            assert listener is not None
            listener.hear(packet)
        else:
            # Packets without timestamps are counted; _FrameReader then goes by the count.
            when = packet.pts if packet.pts is not None else len(shown)
            if packet.is_keyframe:
                keyframes.append(when)
            if not packet.is_discard and not _is_hidden(packet):
                shown.append(when)
                end = max(end, when + (packet.duration or 0))
    shown.sort()
    keyframes.sort()
    zero = float(shown[0] * stream.time_base) if shown and stream.time_base else 0.0
    return _Survey(shown, keyframes, end, listener.finish(zero) if listener else None)


def _packets(
    container: InputContainer, streams: Sequence[av.stream.Stream]
) -> Iterator[av.Packet[Any]]:
    """All packets with data; a file that breaks off midway ends there."""
    try:
        for packet in container.demux(streams):
            if packet.size:
                yield packet
    except (av.error.InvalidDataError, av.error.EOFError):
        return


def _is_hidden(packet: av.Packet[Any]) -> bool:
    """Whether a VP8 or VP9 packet only updates references and shows no picture.

    The bit `show_frame` of RFC 6386, section 9.1, and of the VP9 bitstream specification, section
    6.2; a VP9 superframe (its last byte is marked 0b110) always shows one.
    """
    codec = packet.stream.codec_context.name
    if codec in ("vp8", "libvpx"):
        return not memoryview(packet)[0] & 0x10
    if codec in ("vp9", "libvpx-vp9"):
        data = memoryview(packet)
        first, last = data[0], data[-1]
        profile = (first >> 5 & 1) | (first >> 3 & 2)
        shift = 3 if profile < 3 else 2
        shows_existing, shows = first >> shift & 1, first >> (shift - 2) & 1
        return not (last & 0xE0 == 0xC0 or shows_existing or shows)
    return False


class _Listener:
    """Collects one audio stream as 16 kHz mono int16, packet by packet.

    Packets that do not decode are left out, as faster-whisper does. A bytearray grows in place: the
    sound of hours is never held twice.
    """

    def __init__(self) -> None:
        self._sound = bytearray()
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._start: float | None = None

    def hear(self, packet: av.Packet[Any]) -> None:
        try:
            for frame in packet.decode():
                assert isinstance(frame, av.AudioFrame)
                self._take(frame)
        except (av.error.InvalidDataError, av.error.PatchWelcomeError):
            return

    def _take(self, frame: av.AudioFrame) -> None:
        if self._start is None:
            self._start = frame.time or 0.0
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != self._format:
            self._flush()
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            self._format = now
        frame.pts = None  # broken timestamps must not stop the resampler
        self._write(frame)

    def _write(self, frame: av.AudioFrame | None) -> None:
        assert self._resampler is not None
        for resampled in self._resampler.resample(frame):
            self._sound += resampled.to_ndarray().tobytes()

    def _flush(self) -> None:
        if self._resampler is not None:
            self._write(None)
            self._resampler = None

    def finish(self, zero_seconds: float) -> Sound | None:
        """The sound, with its start counted from `zero_seconds`; None if nothing decoded."""
        self._flush()
        if not self._sound:
            return None
        samples = np.frombuffer(self._sound, dtype=np.int16)
        return Sound(samples, (self._start or 0.0) - zero_seconds)


class _FrameReader:
    """Decodes chosen frames of one open file."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        survey: _Survey,
        max_megapixels: float,
    ) -> None:
        self._container = container
        self._stream = stream
        self._survey = survey
        self._max_megapixels = max_megapixels
        self.readable = len(survey.timestamps)

    def read(self, n: int) -> list[VideoFrame]:
        """The `n` uniformly spaced frames; fewer where some cannot be decoded."""
        if self._timestamps_are_true():
            timestamps = self._survey.timestamps
            wanted = [timestamps[i] for i in frame_indices(len(timestamps), n)]
            found = self._by_seeking(wanted)
            if all(when in found for when in wanted):
                return [found[when] for when in wanted]
        return self._by_counting(n)

    def _timestamps_are_true(self) -> bool:
        """AVI stores no presentation times: FFmpeg's guess is wrong where there are B frames."""
        unique = len(set(self._survey.timestamps)) == len(self._survey.timestamps)
        avi = "avi" in self._container.format.name.split(",")
        return bool(unique and self._survey.keyframes and not avi)

    def _by_seeking(self, wanted: Sequence[int]) -> dict[int, VideoFrame]:
        found: dict[int, VideoFrame] = {}
        for visit in plan_visits(wanted, self._survey.keyframes):
            self._container.seek(visit.keyframe, stream=self._stream, backward=True)
            found.update(self._visit(visit))
            self._stream.codec_context.skip_frame = "DEFAULT"
        return found

    def _visit(self, visit: Visit) -> Iterator[tuple[int, VideoFrame]]:
        targets = set(visit.targets)
        context = self._stream.codec_context
        landed = False
        skips = context.name in _TELLS_WHAT_IS_REFERRED_TO
        for packet in self._container.demux(self._stream):
            landed = landed or packet.is_discard  # an edit list may hide the keyframe itself
            if skips:
                context.skip_frame = "DEFAULT" if packet.pts in targets else "NONREF"
            for frame in _decode(packet):
                landed = landed or frame.key_frame
                if not landed:
                    return  # the container calls every packet a keyframe
                if frame.pts in targets:
                    self._check(frame)
                    yield frame.pts, frame
                    targets.discard(frame.pts)
            if not targets:
                return

    def _by_counting(self, n: int) -> list[VideoFrame]:
        """Decode everything in order and keep what the count says; once more, where the number of
        frames turns out to be another than the number of packets."""
        expected = len(self._survey.timestamps)
        while True:
            wanted = frame_indices(expected, n)
            kept, total = self._count(set(wanted))
            if total == expected:
                self.readable = total
                return [kept[i] for i in wanted]
            if total == 0:
                raise VideoError("decode", "none of its frames can be decoded")
            expected = total

    def _count(self, wanted: set[int]) -> tuple[dict[int, VideoFrame], int]:
        self._container.seek(0)
        kept: dict[int, VideoFrame] = {}
        total = 0
        for packet in self._container.demux(self._stream):
            for frame in _decode(packet):
                if total in wanted:
                    self._check(frame)
                    kept[total] = frame
                total += 1
        return kept, total

    def _check(self, frame: VideoFrame) -> None:
        _check_size(frame.width, frame.height, self._max_megapixels)


def _decode(packet: av.Packet[Any]) -> list[VideoFrame]:
    """The frames that a packet completes; none for one that is damaged."""
    try:
        frames: list[VideoFrame] = packet.decode()
        return frames
    except av.error.InvalidDataError:
        return []


def _as_record(
    frames: Sequence[VideoFrame],
    readable: int,
    survey: _Survey,
    stream: VideoStream,
    prepare: Prepare,
) -> Frames:
    images = {id(frame): _image(frame, stream) for frame in frames}
    pixels = {key: prepare(image) for key, image in images.items()}
    seconds = float(stream.time_base or 0)
    first = survey.timestamps[0]
    return Frames(
        pixels=np.stack([pixels[id(frame)] for frame in frames]),
        times=np.array([((frame.pts or first) - first) * seconds for frame in frames]),
        readable=readable,
        total=len(survey.timestamps),
        thumbnail=thumbnail(images[id(frames[len(frames) // 2])]),
    )


def _image(frame: VideoFrame, stream: VideoStream) -> Image.Image:
    return as_seen(frame.to_ndarray(format="rgb24"), frame.rotation, _pixel_aspect(stream))


def _pixel_aspect(stream: VideoStream) -> Fraction:
    return stream.sample_aspect_ratio or Fraction(1)


def _contents(stream: VideoStream, survey: _Survey, frames: Frames | None) -> Contents:
    context = stream.codec_context
    duration = float((survey.end - survey.timestamps[0]) * (stream.time_base or 0))
    if survey.sound is not None:
        heard = survey.sound.start_seconds + len(survey.sound.samples) / SAMPLE_RATE_HZ
        duration = max(duration, heard)
    width, height = display_size(context.width, context.height, _pixel_aspect(stream))
    return Contents(frames, survey.sound, duration, width, height)


def _reason(error: Exception) -> str:
    """What FFmpeg or the system says, without the number and the path that it wraps around."""
    return getattr(error, "strerror", None) or str(error)
