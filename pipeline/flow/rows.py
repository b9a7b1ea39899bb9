"""Convert records of the stages to rows of the store, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.outcomes import Failure
from pipeline.records import EmbeddedVideo, EncodedMoments, SpeechHalf, VideoFile, VisualHalf
from pipeline.speech import SpeechStatus, Transcript
from store.schema import FailedFile, Known, Recipe, Row


def make_row(video: EmbeddedVideo, source: Row | None, recipe: Recipe, moments_recipe: str) -> Row:
    """Make the row of a video.

    Args:
        video: the parts that were made.
        source: the row that gives the other parts; None where all were made.
        recipe: what made the parts.
        moments_recipe: what made the moments.
    """
    values: dict[str, Any] = {
        **(vars(source) if source else {}),
        **place_of(video.file),
        **(_visual(video.visual, recipe) if video.visual else {}),
        **(_transcript(video.transcript, recipe) if video.transcript else {}),
        **(_speech(video.speech, recipe) if video.speech else {}),
        "content_hash": video.content_hash,
        "embedded_at": datetime.now(UTC),
        "offline": False,
    }
    if source is None:
        values |= vars(video.facts)
    if video.task.needs.moments:
        values |= _moments(video.moments, len(values["visual"]), moments_recipe)
    return Row(**values)


def place_of(file: VideoFile) -> dict[str, Any]:
    """Columns that depend on the file alone, not on its content."""
    return {
        "path": file.path,
        "label": file.label,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
    }


def read_transcript(row: Row) -> Transcript:
    """Transcript of a row, as the model stage made it."""
    return Transcript(
        SpeechStatus(row.speech_status),
        row.segments,
        row.language,
        row.language_probability,
        row.translation,
    )


def known_of(row: Row) -> Known:
    """Columns of a row that a run keeps in memory."""
    return Known(*(getattr(row, name) for name in Known._fields))


def failed_file(failure: Failure, recipe: Recipe) -> FailedFile:
    """Record of a failure under a recipe, as the store keeps it."""
    file = failure.file
    return FailedFile(
        path=file.path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        content_hash=failure.content_hash,
        stage=failure.stage,
        reason=failure.reason,
        recipe=recipe.text,
        failed_at=datetime.now(UTC),
    )


def _visual(half: VisualHalf, recipe: Recipe) -> dict[str, Any]:
    return {
        "visual": half.vector,
        "frame_vectors": half.frame_vectors,
        "frame_times": half.frames.times,
        "frames_readable": half.frames.readable,
        "frames_total": half.frames.total,
        "thumbnail": half.frames.thumbnail,
        "visual_recipe": recipe.visual,
    }


def _moments(moments: EncodedMoments | None, d: int, recipe: str) -> dict[str, Any]:
    if moments is None:
        moments = EncodedMoments(np.zeros(0), np.zeros((0, d), np.float32))
    return {
        "moment_times": moments.times,
        "moment_vectors": moments.vectors,
        "moments_recipe": recipe,
    }


def _transcript(transcript: Transcript, recipe: Recipe) -> dict[str, Any]:
    return {
        "speech_status": str(transcript.status),
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "segments": transcript.segments,
        "transcript": transcript.text,
        "transcript_recipe": recipe.transcript,
    }


def _speech(half: SpeechHalf, recipe: Recipe) -> dict[str, Any]:
    return {
        "speech": half.vector,
        "speech_vectors": half.window_vectors,
        "speech_windows": half.windows,
        "translation": half.translation,
        "speech_recipe": recipe.speech,
    }
