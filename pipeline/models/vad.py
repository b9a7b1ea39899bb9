"""Voice detection: a recording -> windows of it in which somebody speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pipeline.models.speech_windows import LONGEST, Stretch, lay
from pipeline.speech import SAMPLE_RATE_HZ, SpeechWindow

THRESHOLD = 0.5  # of the probability of speech; the default of the detector's authors
SPEECH_MS = 250  # anything shorter is no word
SILENCE_MS = 2000  # shorter pauses stay in, since the detector misses words next to them
PAD_MS = 400
PIECE = 120 * SAMPLE_RATE_HZ  # detected at a time, so that a float32 copy of hours is never made
LEAD = SAMPLE_RATE_HZ  # repeated from the piece before, for the detector's state to settle


def find_speech(
    audio: np.ndarray, *, vad: bool, beat: Callable[[], None] = lambda: None
) -> tuple[SpeechWindow, ...]:
    """Find the speech of a recording.

    Safe in any thread; a call uses one core.

    Args:
        audio: int16 `[n]`, mono, 16 kHz.
        vad: whether to detect speech; otherwise the whole recording counts as speech.
        beat: called before each piece of the recording.

    Returns:
        The speech in windows of at most 28 s; empty if nobody speaks.
    """
    return lay(audio, _speech(audio, beat) if vad else [(0, len(audio))])


def _speech(audio: np.ndarray, beat: Callable[[], None]) -> Iterator[Stretch]:
    """Detect stretches of speech, piece by piece, with the Silero detector of faster-whisper.

    Where a piece ends amid speech, the next piece begins at the start of that speech.
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
        found = [(at + s["start"], at + s["end"]) for s in get_speech_timestamps(piece, options)]
        at += len(piece)
        if at < len(audio) and found and found[-1][1] == at:
            at, _ = found.pop()
        elif at < len(audio):
            at = max(at - LEAD, found[-1][1] if found else 0)
        yield from found
