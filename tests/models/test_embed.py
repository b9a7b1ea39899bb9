"""Both halves of an embedding: of each video what it would be alone, whoever shares its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from pipeline.errors import ModelError, Stage, VideoError
from pipeline.models.clip import ClipEncoder
from pipeline.models.text_windows import text_windows
from pipeline.outcomes import Failure
from pipeline.records import (
    DecodedVideo,
    EmbeddedVideo,
    Frames,
    MediaFacts,
    Moments,
    Needs,
    Task,
    VideoFile,
)
from pipeline.speech import SpeechStatus, SpeechWindow, Transcript
from pipeline.stages.embed import Embedder
from store.arrays import unit_length
from store.schema import Segment

WORDS = "ask not what your country can do for you"
LONG = tuple(Segment(float(i), i + 1.0, f"{WORDS} {i}") for i in range(30))
SPEECH = SpeechStatus.SPEECH
ALL = Needs()


class Scripted:
    """A speech recogniser whose answer to a clip is chosen by the first sample of its windows."""

    def __init__(self, *script: Transcript | VideoError) -> None:
        self._script = script

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript | VideoError]:
        return [self._script[windows[0].samples[0]] for windows in clips]


class Choosy(ClipEncoder):
    """Raises for black pictures and for the word "boom"."""

    def encode_frames(self, pixels: np.ndarray) -> np.ndarray:
        if (pixels == 0).all(axis=(1, 2, 3)).any():
            raise RuntimeError("a kernel failed")
        return super().encode_frames(pixels)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        if "boom" in texts:
            raise RuntimeError("a kernel failed")
        return super().encode_texts(texts)


@pytest.fixture(scope="module")
def clip(small_clip_dir: Path) -> ClipEncoder:
    return Choosy(f"local-dir:{small_clip_dir}", "openai", device="cpu", precision="float32")


SCRIPT = (
    Transcript(SPEECH, (Segment(1.0, 2.0, WORDS),), "en", 0.9),
    Transcript(SPEECH, LONG, "en", 0.9),
    Transcript(SpeechStatus.NO_TEXT),
    VideoError(Stage.SPEECH, "Whisper failed on it"),
    Transcript(SPEECH, (Segment(0.0, 1.0, "boom"),), "en", 0.9),
)
SHORT_TALK, LONG_TALK, MUMBLING, DEFECT, BOOM = range(len(SCRIPT))


@pytest.fixture
def embedder(clip: ClipEncoder) -> Embedder:
    return Embedder(lambda: clip, lambda: Scripted(*SCRIPT))


def video(
    name: str, *, said: int | None = None, silence: SpeechStatus | None = None, n: int = 3,
    black: bool = False, starts: float = 0.0, needs: Needs = ALL, **options: object,
) -> DecodedVideo:  # fmt: skip
    rng = np.random.default_rng(sum(name.encode()))
    pixels = rng.integers(1, 255, (n, 64, 64, 3)).astype(np.uint8) * (not black)
    frames = Frames(pixels, np.arange(n, dtype=np.float64), n, n, b"jpeg")
    windows = () if said is None else (SpeechWindow(np.full(16, said, np.int16), ()),)
    file = VideoFile(name, Path("/videos") / name, 1, 1)
    if said is None and silence is None and needs.transcript:
        silence = SpeechStatus.NO_AUDIO
    return DecodedVideo(
        Task(file, f"hash of {name}", needs), MediaFacts(3.0, 64, 64),
        frames if needs.visual else None, windows, silence, starts, **options,
    )  # fmt: skip


def embed_one(embedder: Embedder, decoded: DecodedVideo) -> EmbeddedVideo:
    (embedded,) = embedder.embed([decoded])
    assert isinstance(embedded, EmbeddedVideo)
    return embedded


def test_videos_in_one_batch_are_what_each_is_alone(embedder: Embedder) -> None:
    videos = [
        video("a.mp4", said=SHORT_TALK, n=5),
        video("b.mp4", n=1),
        video("c.mp4", said=LONG_TALK, n=2),
        video("d.mp4", silence=SpeechStatus.NO_SPEECH, n=7),
        video("e.mp4", said=MUMBLING),
    ]
    for decoded, together in zip(videos, embedder.embed(videos), strict=True):
        alone = embed_one(embedder, decoded)
        assert isinstance(together, EmbeddedVideo)
        assert (together.file, together.transcript) == (alone.file, alone.transcript)
        for half in ("visual", "speech"):
            ours, its = getattr(together, half), getattr(alone, half)
            np.testing.assert_allclose(ours.vector, its.vector, atol=1e-5)
        np.testing.assert_allclose(
            together.visual.frame_vectors, alone.visual.frame_vectors, atol=1e-5
        )
        assert together.speech.windows == alone.speech.windows


def test_the_visual_half_is_the_mean_of_the_frames(embedder: Embedder, clip: ClipEncoder) -> None:
    decoded = video("a.mp4", n=5)
    encoded = clip.encode_frames(decoded.frames.pixels)
    visual = embed_one(embedder, decoded).visual
    np.testing.assert_allclose(visual.vector, unit_length(encoded.mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(visual.frame_vectors, unit_length(encoded), atol=1e-6)
    assert visual.frames is decoded.frames


def test_moments_are_encoded_apart_and_change_nothing_else(
    embedder: Embedder, clip: ClipEncoder
) -> None:
    pixels = np.random.default_rng(5).integers(1, 255, (7, 64, 64, 3)).astype(np.uint8)
    moments = Moments(pixels, np.arange(7) * 10.0)
    without, plain = video("a.mp4", said=SHORT_TALK), video("b.mp4")
    with_them = replace(without, moments=moments)
    assert with_them.nbytes == without.nbytes + pixels.nbytes
    first, second = embedder.embed([with_them, plain])
    alone, _ = embedder.embed([without, plain])
    np.testing.assert_allclose(
        first.moments.vectors, unit_length(clip.encode_frames(pixels)), atol=1e-6
    )
    assert first.moments.times is moments.times
    assert (second.moments, alone.moments) == (None, None)
    assert np.array_equal(first.visual.vector, alone.visual.vector)
    broken = replace(without, moments=replace(moments, pixels=pixels * 0))
    failed, kept = embedder.embed([broken, plain])
    assert isinstance(failed, Failure)
    assert isinstance(kept, EmbeddedVideo)


def test_a_long_transcript_is_the_mean_of_all_its_windows(
    embedder: Embedder, clip: ClipEncoder
) -> None:
    speech = embed_one(embedder, video("a.mp4", said=LONG_TALK)).speech
    assert speech.windows == text_windows(LONG, clip.fits)
    assert len(speech.windows) > 1
    assert all(clip.fits(window.text) for window in speech.windows)
    encoded = clip.encode_texts([window.text for window in speech.windows])
    np.testing.assert_allclose(speech.window_vectors, encoded, atol=1e-6)
    np.testing.assert_allclose(speech.vector, unit_length(encoded.mean(axis=0)), atol=1e-6)


def test_the_first_window_can_be_all_that_counts(clip: ClipEncoder) -> None:
    embedder = Embedder(lambda: clip, lambda: Scripted(*SCRIPT), first_window_only=True)
    speech = embed_one(embedder, video("a.mp4", said=LONG_TALK)).speech
    assert speech.windows == text_windows(LONG, clip.fits)[:1]
    np.testing.assert_allclose(speech.vector, speech.window_vectors[0], atol=1e-6)


@pytest.mark.parametrize(
    ("decoded", "status"),
    [
        (video("a.mp4"), SpeechStatus.NO_AUDIO),
        (video("a.mp4", silence=SpeechStatus.NO_SPEECH), SpeechStatus.NO_SPEECH),
        (video("a.mp4", said=MUMBLING), SpeechStatus.NO_TEXT),
    ],
)
def test_without_words_the_speech_half_is_zeros_and_says_why(
    embedder: Embedder, clip: ClipEncoder, decoded: DecodedVideo, status: SpeechStatus
) -> None:
    embedded = embed_one(embedder, decoded)
    assert embedded.transcript == Transcript(status)
    np.testing.assert_array_equal(embedded.speech.vector, np.zeros(clip.dimension, np.float32))
    assert embedded.speech.window_vectors.shape == (0, clip.dimension)
    assert np.linalg.norm(embedded.visual.vector) == pytest.approx(1)


@pytest.mark.parametrize(("starts", "times"), [(0.5, (1.5, 2.5)), (-1.5, (0.0, 0.5))])
def test_times_of_words_are_those_of_the_video(
    embedder: Embedder, starts: float, times: tuple[float, float]
) -> None:
    embedded = embed_one(embedder, video("a.mp4", said=SHORT_TALK, starts=starts))
    assert embedded.transcript.segments == (Segment(*times, WORDS),)
    assert embedded.speech.windows == (Segment(*times, WORDS),)
    assert embedded.transcript.language == "en"


@pytest.mark.parametrize(
    ("bad", "stage", "reason"),
    [
        (video("bad.mp4", black=True), "vision", "the model raised RuntimeError: a kernel failed"),
        (video("bad.mp4", said=BOOM), "vision", "the model raised RuntimeError: a kernel failed"),
        (video("bad.mp4", said=DEFECT), "speech", "Whisper failed on it"),
    ],
)
def test_a_video_that_a_model_fails_on_costs_only_itself(
    embedder: Embedder, bad: DecodedVideo, stage: str, reason: str
) -> None:
    good = [video("a.mp4", said=SHORT_TALK), video("b.mp4")]
    first, failure, last = embedder.embed([good[0], bad, good[1]])
    assert failure == Failure(bad.task.file, stage, reason, "hash of bad.mp4")
    for decoded, embedded in zip(good, (first, last), strict=True):
        assert isinstance(embedded, EmbeddedVideo)
        alone = embed_one(embedder, decoded)
        np.testing.assert_allclose(embedded.visual.vector, alone.visual.vector, atol=1e-5)
        np.testing.assert_allclose(embedded.speech.vector, alone.speech.vector, atol=1e-5)


def test_weights_that_are_missing_are_nobodys_fault_but_the_runs() -> None:
    def missing() -> NoReturn:
        raise ModelError("no weights")

    embedder = Embedder(missing, missing)
    with pytest.raises(ModelError, match="no weights"):
        embedder.embed([video("a.mp4")])


def unused(name: str) -> Callable[[], Any]:
    def load() -> NoReturn:
        raise AssertionError(f"{name} is not needed")

    return load


def test_only_what_is_needed_is_made_and_loaded(clip: ClipEncoder) -> None:
    embedder = Embedder(lambda: clip, unused("Whisper"))
    new_clip = embed_one(embedder, video("a.mp4", needs=Needs(transcript=False, speech=False)))
    assert (new_clip.transcript, new_clip.speech) == (None, None)
    assert new_clip.visual is not None

    kept = Transcript(SPEECH, (Segment(0.0, 1.0, WORDS),), "en", 0.9)
    new_pooling = video("a.mp4", needs=Needs(visual=False, transcript=False), transcript=kept)
    embedded = embed_one(embedder, new_pooling)
    assert (embedded.visual, embedded.transcript) == (None, None)
    np.testing.assert_allclose(embedded.speech.vector, clip.encode_texts([WORDS])[0], atol=1e-6)


SPANISH = (Segment(1.0, 2.0, "no preguntes"), Segment(2.0, 3.0, "por tu país"))
ENGLISH = (Segment(1.0, 3.0, WORDS),)


def test_a_translation_is_encoded_and_the_words_that_were_said_are_shown(
    clip: ClipEncoder,
) -> None:
    script = Scripted(Transcript(SPEECH, SPANISH, "es", 0.9, ENGLISH))
    embedder = Embedder(lambda: clip, lambda: script, in_english=True)
    embedded = embed_one(embedder, video("a.mp4", said=0, starts=1.0))
    assert embedded.transcript is not None
    assert embedded.speech is not None
    assert embedded.transcript.text == "no preguntes por tu país"
    assert embedded.speech.translation == (Segment(2.0, 4.0, WORDS),)
    assert embedded.speech.windows == (Segment(2.0, 4.0, "no preguntes por tu país"),)
    np.testing.assert_allclose(embedded.speech.vector, clip.encode_texts([WORDS])[0], atol=1e-6)


def test_without_a_translation_or_where_none_is_wanted_the_words_are_encoded(
    clip: ClipEncoder,
) -> None:
    text = "no preguntes por tu país"
    for in_english, translation in ((True, None), (False, ENGLISH)):
        script = [Transcript(SPEECH, SPANISH, "es", 0.9, translation)]
        embedder = Embedder(lambda: clip, partial(Scripted, *script), in_english=in_english)
        speech = embed_one(embedder, video("a.mp4", said=0)).speech
        assert speech is not None
        assert speech.translation is None
        np.testing.assert_allclose(speech.vector, clip.encode_texts([text])[0], atol=1e-6)


def test_no_videos_need_no_models() -> None:
    assert Embedder(unused("CLIP"), unused("Whisper")).embed([]) == []
