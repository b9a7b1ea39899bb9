"""Clips that are heard together do not change each other, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ModelError, VideoError
from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import Span, SpeechStatus, SpeechWindow, Transcript
from tests.support.speech import (
    has_no_words,
    is_ask_not,
    noise,
    seconds_of,
)
from tests.support.words import error_rate


def test_clips_do_not_change_each_other(transcriber: Transcriber, jfk: np.ndarray) -> None:
    clips = [jfk, jfk[: seconds_of(4)], noise(4000), jfk[: seconds_of(10.4)], jfk]
    windows = [find_speech(clip, vad=False) for clip in clips]
    alone = [transcriber.transcribe([window])[0] for window in windows]
    for index, (together, single) in enumerate(
        zip(transcriber.transcribe(windows), alone, strict=True)
    ):
        if index == 2:
            assert has_no_words(together)
            assert has_no_words(single)
            continue
        assert isinstance(together, Transcript)
        assert isinstance(single, Transcript)
        # A product of larger matrices adds up in another order.
        assert error_rate(together.text, single.text) < 0.2
        assert together.language == single.language


def test_a_window_that_one_pass_does_not_hold_is_the_same_in_a_batch(
    transcriber: Transcriber, jfk: np.ndarray, nasa: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.models.whisper.MAX_TOKENS", 40)
    windows = [find_speech(sound, vad=False) for sound in (nasa, np.concatenate([jfk, nasa]))]
    alone = [transcriber.transcribe([window])[0] for window in windows]
    for together, single in zip(transcriber.transcribe(windows), alone, strict=True):
        assert isinstance(together, Transcript)
        assert isinstance(single, Transcript)
        assert error_rate(together.text, single.text) < 0.1


def test_a_clip_that_whisper_fails_on_fails_alone(
    transcriber: Transcriber, jfk: np.ndarray
) -> None:
    minute = np.resize(jfk, seconds_of(60))
    too_long = SpeechWindow(minute, (Span(0, 0, len(minute)),))
    good, bad, empty = transcriber.transcribe([find_speech(jfk, vad=True), (too_long,), ()])
    assert is_ask_not(good)
    assert isinstance(bad, VideoError)
    assert bad.stage == "speech"
    assert empty == Transcript(SpeechStatus.NO_TEXT)


class SmallDevice:
    """Whisper on a device with room for so many windows at a time; at 0 it has failed."""

    def __init__(self, whisper: Any, room: int, message: str) -> None:
        self._whisper, self._room, self._message = whisper, room, message
        self.passes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whisper, name)

    def encode(self, windows: Sequence[np.ndarray], lengths: Sequence[int], length: int) -> Any:
        self.passes.append(len(windows))
        if len(windows) > self._room:
            raise RuntimeError(self._message)
        return self._whisper.encode(windows, lengths, length)


def test_a_batch_that_the_device_has_no_room_for_is_halved(
    whisper_dir: Path, jfk: np.ndarray
) -> None:
    clips = [find_speech(jfk, vad=True)] * 4
    transcriber = Transcriber(str(whisper_dir), threads=1)
    message = "CUDA failed with error out of memory"
    small = SmallDevice(transcriber._whisper, 1, message)
    transcriber._whisper = small  # type: ignore[assignment]
    assert all(map(is_ask_not, transcriber.transcribe(clips)))
    assert small.passes == [4, 2, 1, 1, 2, 1, 1]
    small._room = 0
    [failed] = transcriber.transcribe(clips[:1])
    assert isinstance(failed, VideoError)
    assert "out of memory" in failed.reason
    small._message = "CUDA failed with error unspecified launch failure"
    with pytest.raises(ModelError, match="launch failure"):
        transcriber.transcribe(clips)
