"""Words where somebody speaks, at the right times, and none where nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.decoded import Language
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechStatus, SpeechWindow, Transcript
from tests.support.speech import (
    NASA,
    has_no_words,
    is_ask_not,
    noise,
    seconds_of,
    spoken,
    tone,
)
from tests.support.words import ASK_NOT, error_rate, words


def said_at(transcript: Transcript, second: float) -> set[str]:
    """Every two and three words in a row that were said about then, give or take a second."""
    said = " ".join(s.text for s in transcript.segments if s.start - 1 < second < s.end + 1)
    row = words(said)
    return {" ".join(row[i : i + n]) for n in (2, 3) for i in range(len(row))}


@pytest.mark.parametrize("vad", [True, False])
def test_words_language_and_times_of_clear_speech(
    transcriber: Transcriber, jfk: np.ndarray, vad: bool
) -> None:
    transcript = spoken(transcriber, jfk, vad=vad)
    assert transcript.status is SpeechStatus.SPEECH
    assert is_ask_not(transcript)
    assert transcript.language == "en"
    assert transcript.language_probability is not None
    assert transcript.language_probability > 0.8
    assert transcript.segments[0].start == pytest.approx(0.3, abs=1)
    assert transcript.segments[-1].end == pytest.approx(10.6, abs=1)


def test_times_are_the_videos_own(transcriber: Transcriber, jfk: np.ndarray) -> None:
    silence = np.zeros(seconds_of(20), np.int16)
    transcript = spoken(transcriber, np.concatenate([silence, jfk, silence]))
    assert is_ask_not(transcript)
    assert transcript.segments[0].start == pytest.approx(20.3, abs=1)
    assert transcript.segments[-1].end == pytest.approx(30.6, abs=1)


def test_a_long_recording_is_heard_whole(
    transcriber: Transcriber, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """Over four minutes, and the border between pieces that the voice detector hears at a time.

    Two speakers take turns: the same words twice in a window look like a decoder in a loop.
    """
    starts, parts, at = [], [], 0.0
    for gap in (3, 15, 0.5, 30, 4, 20):
        for speaker in (jfk, nasa):
            parts += [np.zeros(seconds_of(gap), np.int16), speaker]
            at += (seconds_of(gap) + len(speaker)) / SAMPLE_RATE_HZ
        starts.append(at - (seconds_of(gap) + len(jfk) + len(nasa)) / SAMPLE_RATE_HZ)
    transcript = spoken(transcriber, np.concatenate(parts))
    assert error_rate(transcript.text, f"{ASK_NOT} {NASA} " * len(starts)) < 0.1
    for start in starts:
        assert said_at(transcript, start + 2) & {"fellow americans", "so my fellow"}
        assert said_at(transcript, start + 10) & {"do for your", "for your country"}


def test_full_windows_give_to_the_word_what_faster_whisper_gives(
    whisper_dir: Path, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """Two windows, with pauses that the voice detector leaves out; and the times of the video."""
    from faster_whisper import WhisperModel

    gap = np.zeros(seconds_of(6), np.int16)
    audio = np.concatenate([gap, jfk, gap, nasa, gap, jfk])
    stock = WhisperModel(str(whisper_dir), device="cpu", compute_type="float32", cpu_threads=1)
    heard, _ = stock.transcribe(audio.astype(np.float32) / 32768, beam_size=1, vad_filter=True)
    expected = [(each.text.strip(), each.start) for each in heard]
    full = Transcriber(str(whisper_dir), full_windows=True, compute_type="float32", threads=1)
    transcript = spoken(full, audio)
    assert [segment.text for segment in transcript.segments] == [text for text, _ in expected]
    for segment, (_, start) in zip(transcript.segments, expected, strict=True):
        # What begins at a seam began before the pause to faster-whisper, after it to us.
        assert start - 1 < segment.start < start + 7
    assert transcript.language == "en"
    assert full.transcribe([()]) == [Transcript(SpeechStatus.NO_TEXT)]


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(seconds_of(8), np.int16),
        np.zeros(0, np.int16),
        np.zeros(1, np.int16),
        noise(20),
        noise(4000),
        tone(440),
        tone(220, 277, 330, 440),
        tone(*(50 * k for k in range(1, 12))),
    ],
    ids=["silence", "nothing", "one sample", "hiss", "loud noise", "tone", "chord", "hum"],
)
def test_nobody_speaks(transcriber: Transcriber, sound: np.ndarray) -> None:
    windows = find_speech(sound, vad=True)
    assert windows == () or has_no_words(spoken(transcriber, sound))


def test_what_the_voice_detector_mistakes_for_speech_gives_no_word(
    transcriber: Transcriber,
) -> None:
    """A hum that rises and falls four times a second, as syllables do: Whisper loops on it."""
    times = np.arange(seconds_of(12)) / SAMPLE_RATE_HZ
    babble = 4000 * np.sin(2 * np.pi * 150 * times) * (1 + np.sin(2 * np.pi * 4 * times))
    audio = babble.astype(np.int16)
    assert find_speech(audio, vad=True)
    assert has_no_words(spoken(transcriber, audio))


@pytest.mark.parametrize(
    ("loudness", "lengths"), [(0, (8,)), (20, (25,)), (1000, (3, 5, 8)), (4000, (3,))]
)
def test_noise_without_the_voice_detector_gives_no_word(
    transcriber: Transcriber, loudness: float, lengths: tuple[float, ...]
) -> None:
    """On every processor: in 8 bits they find different syllables, over and over."""
    sounds = [find_speech(noise(loudness, seconds), vad=False) for seconds in lengths]
    assert all(map(has_no_words, transcriber.transcribe(sounds)))


class ForeignStart:
    """Whisper that takes whatever is shorter than five seconds for Spanish."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        self.is_short = [len(window) < seconds_of(5) for window in windows]
        return self._whisper.encode(windows, lengths, length)

    def detect(self, encoded: Any) -> list[Language]:
        found = self._whisper.detect(encoded)
        return [
            Language("es", 0.9) if is_short else language
            for is_short, language in zip(self.is_short, found, strict=True)
        ]


def test_the_first_half_minute_decides_on_the_language(
    whisper_dir: Path, jfk: np.ndarray, nasa: np.ndarray
) -> None:
    """A greeting in another language, alone in the first window, does not."""
    long = np.concatenate([jfk, nasa, jfk])[: seconds_of(27.5)]
    windows = [SpeechWindow(part, (Span(0, 0, len(part)),)) for part in (jfk[:16_000], long)]
    transcriber = Transcriber(str(whisper_dir), threads=1)
    transcriber._whisper = ForeignStart(transcriber._whisper)  # type: ignore[assignment]
    together, alone = transcriber.transcribe([windows, windows[1:]])
    assert isinstance(together, Transcript)
    assert isinstance(alone, Transcript)
    assert together.language == alone.language == "en"
    assert error_rate(together.text, f"and {alone.text}") < 0.2


def test_a_given_language_is_not_detected(whisper_dir: Path, jfk: np.ndarray) -> None:
    transcript = spoken(Transcriber(str(whisper_dir), language="en", threads=1), jfk)
    assert is_ask_not(transcript)
    assert (transcript.language, transcript.language_probability) == ("en", None)
