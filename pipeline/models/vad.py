"""The voice detector: a recording -> the windows of it in which somebody speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pipeline.models.speech_windows import LONGEST, Stretch, lay
from pipeline.records import SAMPLE_RATE_HZ, SpeechWindow

THRESHOLD = 0.5  # of the detector's probability; its authors' choice
SPEECH_MS = 250  # anything shorter is no word
SILENCE_MS = 2000  # shorter pauses stay in: the detector misses some of the words between them
PAD_MS = 400
PIECE = 120 * SAMPLE_RATE_HZ  # heard at a time: float32 copies of this much, not of hours
LEAD = SAMPLE_RATE_HZ  # what a piece repeats of the one before, for the detector to warm up


def find_speech(
    audio: np.ndarray, *, vad: bool, beat: Callable[[], None] = lambda: None
) -> tuple[SpeechWindow, ...]:
    """The speech of a recording, in windows of at most 28 s; none where nobody speaks.

    May be called from several threads; each call uses one core.

    Args:
        audio: int16 `[n]`, mono, 16 kHz.
        vad: False takes everything for speech.
        beat: Called with each piece of the recording.
    """
    return lay(audio, _speech(audio, beat) if vad else [(0, len(audio))])


def _speech(audio: np.ndarray, beat: Callable[[], None]) -> Iterator[Stretch]:
    """What Silero's voice detector, as shipped in faster-whisper, hears, piece by piece.

    Speech that a piece ends in is heard again from its start, at the beginning of the next piece.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=THRESHOLD,
        min_speech_duration_ms=SPEECH_MS,
        min_silence_duration_ms=SILENCE_MS,
        speech_pad_ms=PAD_MS,
        max_speech_duration_s=LONGEST / SAMPLE_RATE_HZ,
    )
    at = 0
    while at < len(audio):
        beat()
        piece = audio[at : at + PIECE].astype(np.float32) / np.float32(32768)
        heard = [(at + s["start"], at + s["end"]) for s in get_speech_timestamps(piece, options)]
        at += len(piece)
        if at < len(audio) and heard and heard[-1][1] == at:
            at, _ = heard.pop()
        elif at < len(audio):
            at = max(at - LEAD, heard[-1][1] if heard else 0)
        yield from heard
