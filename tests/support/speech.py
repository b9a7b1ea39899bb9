"""Recordings, made-up sounds, and what Whisper hears in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.errors import VideoError
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import SAMPLE_RATE_HZ, SpeechStatus, Transcript
from store.schema import Segment
from tests.support.words import ASK_NOT, error_rate, words

NASA = (
    "this is the optical and science segment of the webb space telescope in one of the largest "
    "clean rooms in the world at nasa's goddard space flight center in greenbelt maryland"
)
"""What is said in tests/assets/nasa_13013.mp4."""

GALDOS = (
    "el más poderoso genio de la guerra es la conciencia nacional y la disciplina que da más "
    "cohesión el patriotismo"
)
"""What is said in tests/assets/galdos_19_de_marzo.flac."""


def seconds_of(value: float) -> int:
    """The number of samples of so many seconds."""
    return round(value * SAMPLE_RATE_HZ)


def tone(*hertz: float, seconds: float = 8) -> np.ndarray:
    """Sine waves, all at once."""
    times = np.arange(seconds_of(seconds)) / SAMPLE_RATE_HZ
    return sum(6000 / len(hertz) * np.sin(2 * np.pi * f * times) for f in hertz).astype(np.int16)


def noise(loudness: float, seconds: float = 8) -> np.ndarray:
    """White noise of a standard deviation."""
    values = np.random.default_rng(7).normal(0, loudness, seconds_of(seconds))
    return values.clip(-32768, 32767).astype(np.int16)


def spoken(transcriber: Transcriber, audio: np.ndarray, *, vad: bool = True) -> Transcript:
    """What is said in a sound."""
    [transcript] = transcriber.transcribe([find_speech(audio, vad=vad)])
    assert isinstance(transcript, Transcript)
    return transcript


def is_ask_not(transcript: Transcript | VideoError) -> bool:
    """Whether it is the recording's sentence, give or take two of its 22 words."""
    return isinstance(transcript, Transcript) and error_rate(transcript.text, ASK_NOT) < 0.1


def is_galdos_in_english(translation: Sequence[Segment]) -> bool:
    """Whether most of the words are there that a translation of GALDOS is to have."""
    said = {word for segment in translation for word in words(segment.text)}
    return len({"powerful", "war", "national", "discipline", "patriotism"} & said) >= 3


def has_no_words(transcript: Transcript | VideoError) -> bool:
    """Whether it was heard and nobody spoke."""
    return transcript == Transcript(SpeechStatus.NO_TEXT)
