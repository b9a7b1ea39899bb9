"""The sound of a file as the speech model takes it: mono, 16 kHz, int16."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from pipeline.decode.container import Packet, decoded
from pipeline.records import SAMPLE_RATE_HZ

RESAMPLED_AT_ONCE = 16384
"""Samples; resampling one frame of a codec (1,024) costs as much as resampling these."""

FARTHEST_SECONDS = 3600.0
"""Sound that claims to start farther than this from the first frame has a broken clock."""


@dataclass(frozen=True, eq=False)
class Sound:
    """The decoded sound of a video.

    Args:
        samples: int16 `[n]`, mono, 16 kHz. Gaps between its packets are closed.
        start_seconds: when the sound starts, counted from the first frame of the video.
    """

    samples: np.ndarray
    start_seconds: float

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + len(self.samples) / SAMPLE_RATE_HZ


class AudioCollector:
    """Collects one audio stream as 16 kHz mono int16, packet by packet.

    Packets that do not decode are left out, as faster-whisper does. The samples lie in a bytearray,
    which grows in place: the sound of hours is never held twice.

    Args:
        stream: the audio stream to collect.
    """

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self._samples = bytearray()
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._start: float | None = None

    def add(self, packet: Packet | None) -> None:
        """Decode the next packet; None marks the end."""
        for frame in decoded(self.stream, packet):
            self._add_frame(frame)

    def finish(self, zero_seconds: float) -> Sound | None:
        """Return what was collected; None if nothing decoded.

        Args:
            zero_seconds: timestamp of the video's first frame.
        """
        self.add(None)
        self._flush()
        if not self._samples:
            return None
        start = (self._start or 0.0) - zero_seconds
        if abs(start) > FARTHEST_SECONDS:
            start = 0.0
        return Sound(np.frombuffer(self._samples, dtype=np.int16), start)

    def _add_frame(self, frame: av.AudioFrame) -> None:
        if self._start is None:
            self._start = frame.time or 0.0
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
        self._resampler = None
