"""The model stage: decoded videos -> both halves of their embeddings.

The frames of several videos share one forward pass, and so do their texts. Where a batch fails,
each of its videos is tried alone, so that one bad video costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self, TypeVar, cast

import numpy as np

from pipeline.errors import Stage, VideoError
from pipeline.models.loaded import Models
from pipeline.models.protocols import ImageTextEncoder, SpeechRecogniser
from pipeline.models.text_windows import in_spoken_words, text_windows
from pipeline.outcomes import Failure
from pipeline.records import DecodedVideo, EmbeddedVideo, EncodedMoments, SpeechHalf, VisualHalf
from pipeline.settings import Settings
from pipeline.speech import Transcript
from store.arrays import unit_length
from store.schema import Segment

In = TypeVar("In")
Out = TypeVar("Out")


class Embedder:
    """Runs both models on batches of videos.

    Args:
        encoder: gives the loaded image-text encoder; called only when it is needed.
        recogniser: gives the loaded speech recogniser; called only when it is needed.
        first_window_only: let only the start of a long transcript count.
        in_english: encode the translation of a transcript, where it has one.
    """

    def __init__(
        self,
        encoder: Callable[[], ImageTextEncoder],
        recogniser: Callable[[], SpeechRecogniser],
        *,
        first_window_only: bool = False,
        in_english: bool = False,
    ) -> None:
        self._encoder = encoder
        self._recogniser = recogniser
        self._first_window_only = first_window_only
        self._in_english = in_english

    @classmethod
    def of(cls, settings: Settings, models: Models) -> Self:
        """Make one that loads its models when they are needed."""
        return cls(
            models.clip,
            models.whisper,
            first_window_only=settings.clip.transcript == "first_window",
            in_english=settings.speech.text == "english",
        )

    def embed(self, videos: Sequence[DecodedVideo]) -> list[EmbeddedVideo | Failure]:
        """Make what each video needs.

        Args:
            videos: of one batch.

        Returns:
            The outcome of each video, in their order.

        Raises:
            ModelError: a model or its device cannot be used.
        """
        transcripts = self._transcribe(videos)
        visuals = _each_or_alone(self._encode_frames, videos, Stage.VISION)
        moments = _each_or_alone(self._encode_moments, videos, Stage.VISION)
        speeches = _each_or_alone(
            self._encode_texts,
            [t if isinstance(t, Transcript) else None for t in transcripts],
            Stage.VISION,
        )
        parts = zip(videos, transcripts, visuals, speeches, moments, strict=True)
        return [_outcome(*each) for each in parts]

    def _transcribe(self, videos: Sequence[DecodedVideo]) -> list[Transcript | VideoError | None]:
        """Transcribe what needs a transcript; a kept one stays, and None stands for no need."""
        spoken = [video for video in videos if video.windows]
        transcribed = iter(
            self._recogniser().transcribe([v.windows for v in spoken]) if spoken else ()
        )
        results: list[Transcript | VideoError | None] = []
        for video in videos:
            if video.windows:
                results.append(_shift(next(transcribed), video.sound_start_seconds))
            elif video.silence is not None:
                results.append(Transcript(video.silence))
            else:
                results.append(video.transcript)
        return results

    def _encode_frames(self, videos: Sequence[DecodedVideo]) -> list[VisualHalf | None]:
        shown = [video.frames for video in videos if video.frames]
        if not shown:
            return [None] * len(videos)
        encoded = self._encoder().encode_frames(np.concatenate([frames.pixels for frames in shown]))
        ends = np.cumsum([len(frames.pixels) for frames in shown])[:-1]
        parts = iter(np.split(encoded, ends))
        return [_visual_half(video, next(parts)) if video.frames else None for video in videos]

    def _encode_moments(self, videos: Sequence[DecodedVideo]) -> list[EncodedMoments | None]:
        """Encode the moments of one video after another: each has frames enough for a batch.

        Apart from the frames, whose vectors so are the same with moments and without.
        """
        encode = self._encoder().encode_frames if any(video.moments for video in videos) else None
        return [
            EncodedMoments(each.times, unit_length(encode(each.pixels)))
            if encode and (each := video.moments)
            else None
            for video in videos
        ]

    def _encode_texts(self, transcripts: Sequence[Transcript | None]) -> list[SpeechHalf | None]:
        """Make the speech half of each transcript, all their windows in one pass."""
        cut = [self._windows(t) if t and t.segments else () for t in transcripts]
        texts = [window.text for windows in cut for window in windows]
        dimension = self._encoder().dimension if any(transcripts) else 0
        encoded = iter(self._encoder().encode_texts(texts) if texts else ())
        halves: list[SpeechHalf | None] = []
        for transcript, windows in zip(transcripts, cut, strict=True):
            half = _speech_half(windows, [next(encoded) for _ in windows], dimension)
            halves.append(self._in_spoken_words(half, transcript) if transcript else None)
        return halves

    def _windows(self, transcript: Transcript) -> tuple[Segment, ...]:
        segments = (self._in_english and transcript.translation) or transcript.segments
        return text_windows(segments, self._encoder().fits, first_only=self._first_window_only)

    def _in_spoken_words(self, half: SpeechHalf, transcript: Transcript) -> SpeechHalf:
        """Show the words of a video where its translation was encoded."""
        if not self._in_english or not transcript.translation:
            return half
        windows = in_spoken_words(half.windows, transcript.segments)
        return replace(half, windows=windows, translation=transcript.translation)


def _visual_half(video: DecodedVideo, encoded: np.ndarray) -> VisualHalf:
    assert video.frames is not None
    return VisualHalf(unit_length(encoded.mean(axis=0)), unit_length(encoded), video.frames)


def _speech_half(
    windows: tuple[Segment, ...], vectors: Sequence[np.ndarray], dimension: int
) -> SpeechHalf:
    if not windows:
        return SpeechHalf(np.zeros(dimension, np.float32), np.zeros((0, dimension), np.float32), ())
    stacked = np.stack(vectors)
    return SpeechHalf(unit_length(stacked.mean(axis=0)), stacked, windows)


def _shift(transcript: Transcript | VideoError, seconds: float) -> Transcript | VideoError:
    """Turn times of the sound into times of the video."""
    if isinstance(transcript, VideoError) or not seconds:
        return transcript
    moved = [
        tuple(Segment(max(s.start + seconds, 0.0), max(s.end + seconds, 0.0), s.text) for s in part)
        for part in (transcript.segments, transcript.translation or ())
    ]
    return replace(transcript, segments=moved[0], translation=moved[1] or None)


def _each_or_alone(
    make: Callable[[Sequence[In]], Sequence[Out]], parts: Sequence[In], stage: Stage
) -> list[Out | VideoError]:
    """Call `make` with all parts; where the model raises, with each, to find the bad one."""
    try:
        return list(make(parts))
    except RuntimeError as error:
        if len(parts) == 1:
            return [VideoError(stage, f"the model raised {type(error).__name__}: {error}")]
        return [_each_or_alone(make, [part], stage)[0] for part in parts]


def _outcome(
    video: DecodedVideo,
    transcript: Transcript | VideoError | None,
    visual: VisualHalf | VideoError | None,
    speech: SpeechHalf | VideoError | None,
    moments: EncodedMoments | VideoError | None,
) -> EmbeddedVideo | Failure:
    task = video.task
    for part in (transcript, visual, speech, moments):
        if isinstance(part, VideoError):
            return Failure(task.file, part.stage, part.reason, task.content_hash)
    return EmbeddedVideo(
        task,
        video.facts,
        cast("VisualHalf | None", visual),
        cast("Transcript | None", transcript) if task.needs.transcript else None,
        cast("SpeechHalf | None", speech) if task.needs.speech else None,
        cast("EncodedMoments | None", moments),
    )
