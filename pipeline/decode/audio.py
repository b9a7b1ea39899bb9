"""The sound of a file as the speech model takes it: mono, 16 kHz, int16."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from pipeline.decode.container import Packet, decoded
from pipeline.speech import SAMPLE_RATE_HZ

RESAMPLED_AT_ONCE = 16384
"""Samples; resampling one frame of a codec (1,024) costs as much as resampling these."""

GAP_SECONDS = 0.1
"""A timestamp this far from the end of the sound before it leaves a gap or overlaps; less is an
inexact clock. As `min_hard_comp` of FFmpeg's resampler."""

MAX_OVERLAP_SECONDS = 10.0
"""A timestamp farther back belongs to a clock that has begun again; nothing overlaps. As
`dts_delta_threshold` of FFmpeg's command line."""

MAX_SILENCE_SECONDS = 3600.0
"""Gaps of one file are filled up to this sum, 115 MB; a clock that leaves more is broken."""


@dataclass(frozen=True, eq=False)
class Sound:
    """The decoded sound of a video.

    Args:
        samples: int16 `[n]`, mono, 16 kHz, without gaps.
        start_seconds: when the sound starts.
    """

    samples: np.ndarray
    start_seconds: float

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + len(self.samples) / SAMPLE_RATE_HZ


class AudioCollector:
    """Collects one audio stream as 16 kHz mono int16, packet by packet.

    Samples stay at their times: silence fills gaps, also those of packets that do not decode, and
    sound that comes a second time is dropped. The samples lie in a bytearray, which grows in place:
    the sound of hours is never held twice.

    Args:
        stream: the audio stream to collect.
        may_restart: whether timestamps of the format may begin again midway.
        start_only: decode no more than tells when the sound starts.
    """

    def __init__(self, stream: AudioStream, *, may_restart: bool, start_only: bool) -> None:
        self.stream = stream
        self._start_only = start_only
        self._may_restart = may_restart
        self._samples = bytearray()
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._start: float | None = None
        self._zero = 0.0  # timestamp of the first sample by the clock that counts now
        self._seconds = 0.0  # taken so far, silence included
        self._silence = 0.0

    def add(self, packet: Packet | None) -> None:
        """Decode the next packet; None marks the end."""
        if self._start is None or not self._start_only:
            for frame in decoded(self.stream, packet):
                self._add_frame(frame)

    def finish(self) -> Sound | None:
        """Return what was collected, with its start as a timestamp; None if nothing decoded."""
        self.add(None)
        self._flush()
        if self._start is None or not (self._samples or self._start_only):
            return None
        return Sound(np.frombuffer(self._samples, dtype=np.int16), self._start)

    def _add_frame(self, frame: av.AudioFrame) -> None:
        if self._start is None:
            self._start = self._zero = frame.time or 0.0
        if self._is_second_time(frame.time):
            return
        self._seconds += frame.samples / frame.sample_rate
        frame_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if frame_format != self._format:
            self._flush()
            self._fifo = AudioFifo()
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            self._format = frame_format
        frame.pts = None  # broken timestamps must not stop the resampler
        self._fifo.write(frame)
        if self._fifo.samples >= RESAMPLED_AT_ONCE:
            self._resample(self._fifo.read())

    def _is_second_time(self, timestamp: float | None) -> bool:
        """Whether the sound before a frame covers it; where there is a gap, fill it."""
        ahead = 0.0 if timestamp is None else timestamp - self._zero - self._seconds
        if abs(ahead) <= GAP_SECONDS:
            return False
        if ahead > 0 and self._silence + ahead <= MAX_SILENCE_SECONDS:
            self._fill(ahead)
        elif -MAX_OVERLAP_SECONDS <= ahead < 0 and not self._may_restart:
            return True
        else:
            self._zero += ahead
        return False

    def _fill(self, seconds: float) -> None:
        self._flush()
        self._seconds += seconds
        self._silence += seconds
        missing = round(self._seconds * SAMPLE_RATE_HZ) - len(self._samples) // 2
        self._samples += bytes(2 * max(missing, 0))

    def _resample(self, frame: av.AudioFrame | None) -> None:
        """Append the resampled frame; None empties the resampler."""
        if self._resampler is None:
            return
        try:
            for resampled in self._resampler.resample(frame):
                (plane,) = resampled.planes
                self._samples += memoryview(plane)[: 2 * resampled.samples]
        except av.error.FFmpegError:  # the packets claim a format that does not exist
            self._resampler = self._format = None

    def _flush(self) -> None:
        if self._fifo.samples:
            self._resample(self._fifo.read())
        self._resample(None)
        self._resampler = self._format = None
