"""Real videos, and really broken ones, of a folder that not every machine has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio

from pipeline.models.transcriber import Transcriber
from pipeline.models.vad import find_speech
from pipeline.speech import Transcript
from tests.support.decoding import attempt, decode_all, manifest, order_of, read
from tests.support.words import error_rate, words


def test_real_broken_files_end_as_they_are_known_to(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "broken"):
        assert media_dir is not None
        frames, error = attempt(media_dir / entry["path"])
        if frames is not None:
            assert entry["outcome"] == f"decodes ({frames.readable} frames)", entry["path"]
        else:
            assert not entry["outcome"].startswith("decodes"), (entry["path"], error)
        if entry["outcome"].startswith("audio"):
            assert "sound only" in str(error), (entry["path"], error)


def test_real_videos_decode(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "video"):
        assert media_dir is not None
        path = media_dir / entry["path"]
        if "vcodec" not in entry:
            assert "sound only" in str(attempt(path)[1])
            continue
        contents = read(path)
        assert contents.frames is not None
        # AVI may have packets that show nothing.
        missing = contents.frames.total - contents.frames.readable
        assert missing <= (1 if path.suffix == ".avi" else 0), path
        assert contents.duration_seconds == pytest.approx(entry["duration"], abs=1.0), path
        assert (contents.sound is not None) == entry["has_audio"], path
        turned = entry["rotation"] % 180 != 0
        assert (contents.width if turned else contents.height) == entry["height"], path
        if entry["nb_frames"] <= 150 and entry["height"] <= 1080:
            whole = decode_all(path)
            chosen = np.linspace(0, len(whole.frames) - 1, 5, dtype=int)
            assert np.array_equal(contents.frames.pixels, whole.prepared(chosen)), path


def test_real_videos_give_their_keyframes(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "video"):
        assert media_dir is not None
        if "vcodec" not in entry or entry["nb_frames"] > 120:
            continue
        path = media_dir / entry["path"]
        frames = read(path, want_sound=False, at_keyframes=True).frames
        assert frames is not None
        if entry["container"] != "avi":  # which has no times to tell frames by
            order = order_of(path)
            expected = [order.times[i] - order.times[0] for i in order.nearest(5)]
            assert frames.times == pytest.approx(expected, abs=0.002), path


def test_real_broken_files_give_frames_where_exact_ones_do(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "broken"):
        assert media_dir is not None
        exact, _ = attempt(media_dir / entry["path"])
        at_keyframes, error = attempt(media_dir / entry["path"], at_keyframes=True)
        assert (exact is None) == (at_keyframes is None), (entry["path"], error)


IN_ENGLISH = {
    "css10__19demarzo_0008.wav": {"powerful", "war", "national", "discipline", "patriotism"},
    "leopard__test_es.wav": {"sand", "white", "grain", "very", "little"},
}
"""Words of the translations of two Spanish sentences; Whisper base finds most of them."""


def test_spanish_stays_spanish_and_its_translation_is_english(
    media_dir: Path | None, whisper_dir: Path
) -> None:
    entries = {Path(entry["path"]).name: entry for entry in manifest(media_dir, "speech")}
    transcriber = Transcriber(str(whisper_dir), translates=True, threads=1)
    for name, expected in IN_ENGLISH.items():
        assert media_dir is not None
        samples = decode_audio(str(media_dir / entries[name]["path"]), sampling_rate=16_000)
        audio = (samples * 32767).astype(np.int16)
        (transcript,) = transcriber.transcribe([find_speech(audio, vad=True)])
        assert isinstance(transcript, Transcript)
        assert transcript.language == "es"
        assert error_rate(transcript.text, entries[name]["text"]) < 0.3
        assert transcript.translation is not None
        english = words(" ".join(segment.text for segment in transcript.translation))
        assert len(expected & set(english)) >= 3, english
