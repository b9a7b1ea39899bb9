"""What is said in another language is translated from the same encoding; English is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.transcriber import Transcriber
from tests.support.speech import GALDOS, is_ask_not, is_galdos_in_english, spoken
from tests.support.words import error_rate


class Counted:
    """Whisper, which counts what it encodes and decodes."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper
        self.encoded = 0
        self.tasks: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def encode(self, windows: Any, *rest: Any) -> Any:
        self.encoded += len(windows)
        return self._whisper.encode(windows, *rest)

    def decode(self, *given: Any) -> Any:
        self.tasks += given[-1]
        return self._whisper.decode(*given)


def translating(whisper: Path, **options: Any) -> tuple[Transcriber, Counted]:
    transcriber = Transcriber(str(whisper), translates=True, threads=1, **options)
    counted = Counted(transcriber._whisper)
    transcriber._whisper = counted  # type: ignore[assignment]
    return transcriber, counted


def test_words_in_another_language_are_translated_from_the_same_encoding(
    whisper_dir: Path, galdos: np.ndarray
) -> None:
    transcriber, counted = translating(whisper_dir)
    transcript = spoken(transcriber, galdos)
    assert counted.tasks.count("translate") == 1
    assert counted.encoded == counted.tasks.count("transcribe")
    assert transcript.language == "es"
    assert error_rate(transcript.text, GALDOS) < 0.2
    assert transcript.translation is not None
    assert is_galdos_in_english(transcript.translation)
    # Whisper knows the times of a translation about.
    assert transcript.translation[0].start == pytest.approx(0, abs=1)
    assert transcript.translation[-1].end == pytest.approx(8, abs=2)


def test_english_is_not_decoded_twice(whisper_dir: Path, jfk: np.ndarray) -> None:
    transcriber, counted = translating(whisper_dir)
    transcript = spoken(transcriber, jfk)
    assert is_ask_not(transcript)
    assert transcript.translation is None
    assert counted.tasks == ["transcribe"]


def test_full_windows_are_translated_too(whisper_dir: Path, galdos: np.ndarray) -> None:
    transcriber, _ = translating(whisper_dir, full_windows=True)
    translation = spoken(transcriber, galdos).translation
    assert translation is not None
    assert is_galdos_in_english(translation)
