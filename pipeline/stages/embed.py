"""The model stage as a plain function: decoded videos -> both halves of their embeddings.

Frames of several videos share one forward pass, and so do their words; a batch that fails is tried
again video by video, so that one bad video costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np

from pipeline.errors import VideoError
from pipeline.models.clip import ClipEncoder
from pipeline.models.text_windows import text_windows
from pipeline.models.transcriber import Transcriber
from pipeline.records import (
    DecodedVideo,
    EmbeddedVideo,
    Failure,
    SpeechHalf,
    Stage,
    Transcript,
    VisualHalf,
)
from store.arrays import unit_length
from store.schema import Segment

In = TypeVar("In")
Out = TypeVar("Out")


class Embedder:
    """Both models at work on batches of videos.

    Args:
        clip, whisper: give the loaded model; asked for only when it is needed.
        first_window_only: let only the start of a long transcript count.
    """

    def __init__(
        self,
        clip: Callable[[], ClipEncoder],
        whisper: Callable[[], Transcriber],
        *,
        first_window_only: bool = False,
    ) -> None:
        self._clip = clip
        self._whisper = whisper
        self._first_window_only = first_window_only

    def embed(self, videos: Sequence[DecodedVideo]) -> list[EmbeddedVideo | Failure]:
        """What is needed of each video; in order."""
        transcripts = self._transcribe(videos)
        visuals = _each_or_alone(self._see, videos, Stage.VISION)
        speeches = _each_or_alone(
            self._read,
            [t if isinstance(t, Transcript) else None for t in transcripts],
            Stage.VISION,
        )
        parts = zip(videos, transcripts, visuals, speeches, strict=True)
        return [_outcome(*each) for each in parts]

    def _transcribe(self, videos: Sequence[DecodedVideo]) -> list[Transcript | VideoError | None]:
        """The words of each video: heard, kept from its row, or none where nothing needs them."""
        spoken = [video for video in videos if video.windows]
        heard = iter(self._whisper().transcribe([v.windows for v in spoken]) if spoken else ())
        results: list[Transcript | VideoError | None] = []
        for video in videos:
            if video.windows:
                results.append(_shift(next(heard), video.sound_start_seconds))
            elif video.silence is not None:
                results.append(Transcript(video.silence))
            else:
                results.append(video.transcript)
        return results

    def _see(self, videos: Sequence[DecodedVideo]) -> list[VisualHalf | None]:
        seen = [video.frames for video in videos if video.frames]
        if not seen:
            return [None] * len(videos)
        encoded = self._clip().encode_frames(np.concatenate([frames.pixels for frames in seen]))
        ends = np.cumsum([len(frames.pixels) for frames in seen])[:-1]
        parts = iter(np.split(encoded, ends))
        return [_visual_half(video, next(parts)) if video.frames else None for video in videos]

    def _read(self, transcripts: Sequence[Transcript | None]) -> list[SpeechHalf | None]:
        """The speech half of each transcript; all their windows in one pass."""
        cut = [self._windows(t) if t and t.segments else () for t in transcripts]
        texts = [window.text for windows in cut for window in windows]
        dimension = self._clip().dimension if any(transcripts) else 0
        encoded = iter(self._clip().encode_texts(texts) if texts else ())
        halves: list[SpeechHalf | None] = []
        for transcript, windows in zip(transcripts, cut, strict=True):
            vectors = [next(encoded) for _ in windows]
            halves.append(_speech_half(windows, vectors, dimension) if transcript else None)
        return halves

    def _windows(self, transcript: Transcript) -> tuple[Segment, ...]:
        return text_windows(
            transcript.segments, self._clip().fits, first_only=self._first_window_only
        )


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


def _shift(heard: Transcript | VideoError, seconds: float) -> Transcript | VideoError:
    """From the time of the sound to the time of the video."""
    if isinstance(heard, VideoError) or not seconds:
        return heard
    moved = tuple(
        Segment(max(s.start + seconds, 0.0), max(s.end + seconds, 0.0), s.text)
        for s in heard.segments
    )
    return Transcript(heard.status, moved, heard.language, heard.language_probability)


def _each_or_alone(
    make: Callable[[Sequence[In]], Sequence[Out]], parts: Sequence[In], stage: Stage
) -> list[Out | VideoError]:
    """`make` of all at once; where the model raises, of each alone, to find the one to blame."""
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
) -> EmbeddedVideo | Failure:
    task = video.task
    for part in (transcript, visual, speech):
        if isinstance(part, VideoError):
            return Failure(task.file, part.stage, part.reason, task.content_hash)
    return EmbeddedVideo(
        task,
        video.facts,
        cast("VisualHalf | None", visual),
        cast("Transcript | None", transcript) if task.needs.transcript else None,
        cast("SpeechHalf | None", speech) if task.needs.speech else None,
    )
