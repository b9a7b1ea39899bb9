"""Sounds of clips, and the audio stream that they become."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from pipeline.demo.videos import speech_samples

Sound = Literal["silence", "tone", "music", "speech", "spanish"]

SPANISH = Path(__file__).parents[1] / "assets" / "galdos_19_de_marzo.flac"

RATE_HZ = 16_000  # of what is synthesised; the files have 48 kHz stereo
# Uncompressed in AVI: there an encoder's delay would push the pictures off their times.
AUDIO_ENCODERS = {".webm": "libopus", ".mkv": "libopus", ".avi": "pcm_s16le"}  # else AAC


class SoundTrack:
    """An audio stream that is written piece by piece, to lie between the pictures."""

    def __init__(
        self, container: Any, sound: Sound, path: Path, seconds: float, start_seconds: float
    ) -> None:
        self._container = container
        codec = AUDIO_ENCODERS.get(path.suffix, "aac")
        options = {"aac_coder": "fast"} if codec == "aac" else {}
        self._stream = container.add_stream(codec, rate=48_000, layout="stereo", options=options)
        self._samples = synthesise(sound, seconds)
        self._offset = round(start_seconds * RATE_HZ)
        self._written = 0

    def write_until(self, seconds: float) -> None:
        """Write what sounds before `seconds` from the start, in pieces of 1024 samples."""
        end = min(round(seconds * RATE_HZ), len(self._samples))
        while self._written + 1024 <= end or self._written < end == len(self._samples):
            piece = self._samples[self._written : min(self._written + 1024, end)]
            frame = av.AudioFrame.from_ndarray(piece[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = self._offset + self._written
            self._container.mux(self._stream.encode(frame))
            self._written += len(piece)

    def close(self) -> None:
        """Write the rest."""
        self.write_until(len(self._samples) / RATE_HZ)
        self._container.mux(self._stream.encode(None))


def synthesise(sound: Sound, seconds: float) -> np.ndarray:
    """int16 `[n]` at RATE_HZ: silence, a 440 Hz tone, chords, or speech over and over."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    if sound in ("speech", "spanish"):
        said = speech_samples() if sound == "speech" else sound_of(SPANISH)
        return np.resize(np.append(said, np.zeros(RATE_HZ, np.int16)), len(times))
    if sound == "silence":
        wave = np.zeros(len(times))
    elif sound == "tone":
        wave = np.sin(2 * np.pi * 440 * times)
    else:
        wave = _chords(times)
    return (0.3 * 32767 * wave).astype(np.int16)


def sound_of(file: Path) -> np.ndarray:
    """int16 `[n]`: the sound of a file at RATE_HZ, one channel."""
    resampler = av.AudioResampler("s16", "mono", RATE_HZ)
    with av.open(str(file)) as container:
        frames = [made for f in container.decode(audio=0) for made in resampler.resample(f)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


def _chords(times: np.ndarray) -> np.ndarray:
    """A cadence of plucked triads with overtones, a chord a half second: C, F, G, C."""
    roots = np.array([0, 5, 7, 0])[(times * 2).astype(int) % 4]
    fade = np.exp(-3 * (times * 2 % 1))
    wave = np.zeros(len(times))
    for interval in (0, 4, 7):
        pitch = 261.63 * 2 ** ((roots + interval) / 12)
        for overtone in (1, 2, 3):
            wave += np.sin(2 * np.pi * pitch * overtone * times) / (3 * overtone)
    return fade * wave / 2
