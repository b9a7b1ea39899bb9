"""The sound of a file, as the speech model wants it."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from pipeline.decode.container import Packet, decoded
from pipeline.records import SAMPLE_RATE_HZ

PIECE = 16384  # samples that are resampled at a time: a codec's frame of 1,024 costs as much

FARTHEST_SECONDS = 3600.0
"""Sound that claims to start so long before or after the first picture has a broken clock."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Args:
    samples: int16 `[n]`, mono, 16 kHz. Gaps between its packets are closed.
    start_seconds: when the sound starts, from the first frame of the video on.
    """

    samples: np.ndarray
    start_seconds: float

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + len(self.samples) / SAMPLE_RATE_HZ


class AudioCollector:
    """Collects one audio stream as 16 kHz mono int16, packet by packet.

    Packets that do not decode are left out, as faster-whisper does. A bytearray grows in place: the
    sound of hours is never held twice.
    """

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self._sound = bytearray()
        self._heard = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._start: float | None = None

    def hear(self, packet: Packet | None) -> None:
        """Take the next packet; None is the end."""
        for frame in decoded(self.stream, packet):
            self._take(frame)

    def finish(self, zero_seconds: float) -> Sound | None:
        """The sound, with its start counted from `zero_seconds`; None if nothing decoded."""
        self.hear(None)
        self._flush()
        if not self._sound:
            return None
        start = (self._start or 0.0) - zero_seconds
        if abs(start) > FARTHEST_SECONDS:
            start = 0.0
        return Sound(np.frombuffer(self._sound, dtype=np.int16), start)

    def _take(self, frame: av.AudioFrame) -> None:
        if self._start is None:
            self._start = frame.time or 0.0
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != self._format:
            self._flush()
            self._heard = AudioFifo()
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            self._format = now
        frame.pts = None  # broken timestamps must not stop the resampler
        self._heard.write(frame)
        if self._heard.samples >= PIECE:
            self._resample(self._heard.read())

    def _resample(self, frame: av.AudioFrame | None) -> None:
        """Add what the resampler makes of it; None empties it."""
        if self._resampler is None:
            return
        try:
            for resampled in self._resampler.resample(frame):
                (plane,) = resampled.planes
                self._sound += memoryview(plane)[: 2 * resampled.samples]
        except av.error.FFmpegError:  # the packets claim a format that there is not
            self._resampler = self._format = None

    def _flush(self) -> None:
        if self._heard.samples:
            self._resample(self._heard.read())
        self._resample(None)
        self._resampler = None


def first_audio(container: InputContainer) -> AudioCollector | None:
    """One for the first audio stream that this build of FFmpeg has a decoder for, if any."""
    known = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return AudioCollector(known[0]) if known else None
