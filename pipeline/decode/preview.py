"""Previews: a video that browsers do not play, as one that they do."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.decode.audio import GAP_SECONDS, MAX_SILENCE_SECONDS
from pipeline.decode.container import OpenVideo, decoded, open_video
from pipeline.decode.images import orientation, square_size
from pipeline.decode.playback import Playback, kind_of, start_of
from pipeline.decode.tracks import rank_audio
from pipeline.errors import Stage, VideoError

LONGEST_SIDE = 640  # pixels
MOST_FRAMES_A_SECOND = 30.5
SOUND_RATE_HZ = 48_000
CLOCK = Fraction(1, 1000)  # of the pictures: finer than any frame rate that is shown
THREADS = 2
ENCODER = {"preset": "veryfast", "crf": "26"}

_TURNS = {
    (False, False, False): (0, False),
    (False, True, True): (180, False),
    (False, True, False): (0, True),
    (False, False, True): (180, True),
    (True, False, True): (90, False),
    (True, True, False): (270, False),
    (True, False, False): (270, True),
    (True, True, True): (90, True),
}
"""By what `orientation` returns: degrees counter-clockwise, and whether to mirror then."""


def make_preview(
    location: Path,
    target: Path,
    *,
    max_megapixels: float,
    timeout_seconds: float,
    beat: Callable[[float], None] = lambda _: None,
) -> None:
    """Write an MP4 that browsers play: upright, at most 640 pixels wide and high, with its sound.

    Pictures that play already are copied as they are. Times are those of the row: they count from
    the earlier one of the first picture and the first sound.

    Args:
        location: the file.
        target: file to write.
        max_megapixels: larger pictures are refused.
        timeout_seconds: longest time that reading may make no progress.
        beat: called with the seconds of video that are done; may raise to stop.

    Raises:
        VideoError: the file cannot be read, or nothing of it decodes.
        OSError: the target cannot be written.
    """
    with open_video(location, max_megapixels, timeout_seconds) as video:
        is_copied = kind_of(video) is not Playback.ENCODE and _can_be_copied(video)
        start = start_of(video)
        first = None if is_copied else _first_frame(video)
    with (
        open_video(location, max_megapixels, timeout_seconds) as video,
        av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as output,
    ):
        pictures: _Copier | _Encoder
        if first is None:
            pictures = _Copier(video, output, start)
        else:
            pictures = _Encoder(video, output, start, first)
        _write(video, output, pictures, start, beat)


def _write(
    video: OpenVideo,
    output: OutputContainer,
    pictures: _Copier | _Encoder,
    start: float,
    beat: Callable[[float], None],
) -> None:
    tracks = rank_audio(video.container)[:1]
    sound = _Sound(tracks[0], output, start) if tracks else None
    for packet in video.packets(*tracks):
        if packet.stream_index == video.stream.index:
            pictures.add(packet)
        elif sound:
            sound.add(packet)
        if packet.pts is not None:
            beat(float(packet.pts * packet.time_base) - start)
    pictures.finish()
    if sound:
        sound.finish()


class _Copier:
    """Copies the packets of the pictures."""

    def __init__(self, video: OpenVideo, output: OutputContainer, start: float) -> None:
        self._output = output
        self._stream = output.add_stream_from_template(video.stream)
        self._offset = round(start / (video.stream.time_base or 1))

    def add(self, packet: Any) -> None:
        if packet.dts is None:
            return
        packet.dts -= self._offset
        packet.pts = packet.dts if packet.pts is None else packet.pts - self._offset
        packet.stream = self._stream
        self._output.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _Encoder:
    """Decodes the pictures, shrinks them and encodes them as h264."""

    def __init__(
        self, video: OpenVideo, output: OutputContainer, start: float, first: VideoFrame
    ) -> None:
        self._source = video.stream
        self._source.thread_count = THREADS
        self._source.thread_type = "AUTO"
        self._output = output
        self._start = start
        self._last = -inf
        self._stream = _add_stream(output, first, self._source)
        self._frame_seconds = float(1 / (video.stream.average_rate or 25))

    def add(self, packet: Any) -> None:
        for frame in decoded(self._source, packet):
            self._add_frame(frame)

    def finish(self) -> None:
        self.add(None)
        self._output.mux(self._stream.encode(None))

    def _add_frame(self, frame: VideoFrame) -> None:
        clock = self._source.time_base  # a frame that was held back to the end has none
        if frame.pts is None or not clock:
            seconds = max(self._last, -self._frame_seconds) + self._frame_seconds
        else:
            seconds = float(frame.pts * clock) - self._start
        if seconds <= self._last:  # AVI does not tell when B frames are shown
            seconds = self._last + self._frame_seconds
        elif seconds < self._last + 1 / MOST_FRAMES_A_SECOND:
            return
        self._last = seconds
        small = frame.reformat(self._stream.width, self._stream.height, "yuv420p", threads=1)
        small.pts, small.time_base = round(max(seconds, 0.0) / CLOCK), CLOCK
        small.pict_type = 0
        self._output.mux(self._stream.encode(small))


def _add_stream(output: OutputContainer, frame: VideoFrame, source: VideoStream) -> VideoStream:
    """Add the stream of the pictures, to be shown as the frame is."""
    stream = output.add_stream("libx264", rate=30, options=ENCODER)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = _small_size(*square_size(frame, source))
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = CLOCK
    rotation, is_mirrored = _TURNS[orientation(frame)]
    if rotation or is_mirrored:
        stream.set_display_rotation(rotation, hflip=is_mirrored)
    return stream


def _first_frame(video: OpenVideo) -> VideoFrame:
    for packet in video.packets():
        for frame in decoded(video.stream, packet):
            assert isinstance(frame, VideoFrame)
            return frame
    for frame in decoded(video.stream, None):
        assert isinstance(frame, VideoFrame)
        return frame
    raise VideoError(Stage.DECODE, "no picture of it decodes")


class _Sound:
    """Decodes the sound and encodes it as AAC; silence fills what is missing."""

    def __init__(self, source: AudioStream, output: OutputContainer, start: float) -> None:
        self._source = source
        self._output = output
        self._start = start
        self._stream = output.add_stream("aac", rate=SOUND_RATE_HZ, layout="stereo")
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._position = 0
        self._silence = 0.0

    def add(self, packet: Any) -> None:
        for frame in decoded(self._source, packet):
            self._add_frame(frame)

    def finish(self) -> None:
        self.add(None)
        self._flush()
        self._output.mux(self._stream.encode(None))

    def _add_frame(self, frame: AudioFrame) -> None:
        if frame.time is not None:
            gap = frame.time - self._start - self._position / SOUND_RATE_HZ
            if gap > GAP_SECONDS and self._silence + gap < MAX_SILENCE_SECONDS:
                self._silence += gap
                self._be_silent(round(gap * SOUND_RATE_HZ))
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._format:
            self._flush()
            self._resampler = AudioResampler("fltp", "stereo", SOUND_RATE_HZ)
            self._format = kind
        frame.pts = None
        assert self._resampler is not None
        for resampled in self._resampler.resample(frame):
            self._encode(resampled)

    def _flush(self) -> None:
        if self._resampler is not None:
            for resampled in self._resampler.resample(None):
                self._encode(resampled)

    def _be_silent(self, samples: int) -> None:
        while samples > 0:
            frame = AudioFrame("fltp", "stereo", min(samples, SOUND_RATE_HZ))
            frame.sample_rate = SOUND_RATE_HZ
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            samples -= frame.samples
            self._encode(frame)

    def _encode(self, frame: AudioFrame) -> None:
        frame.pts, frame.time_base = self._position, Fraction(1, SOUND_RATE_HZ)
        self._position += frame.samples
        self._output.mux(self._stream.encode(frame))


def _can_be_copied(video: OpenVideo) -> bool:
    """Whether packets have times to be copied with: AVI's do not tell in which order to show."""
    return "avi" not in video.container.format.name or not video.stream.codec_context.has_b_frames


def _small_size(width: int, height: int) -> tuple[int, int]:
    """Even numbers of pixels, the longer side LONGEST_SIDE at most."""
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))  # type: ignore[return-value]
