"""Rows of a store, made up."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from store.schema import FailedFile, Row, Segment

D = 8
NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ODD_PATHS = [
    "a'b.mp4", 'a"b.mp4', "back\\slash.mp4", "new\nline.mp4", "50%_.mp4", "--;DROP TABLE.mp4",
    "x' OR '1'='1", "cafe\u0301.mp4", "café.mp4", "北京/视频.mp4", "🎬👩\u200d👩\u200d👧.mp4",
    "`tick`.mp4", " lead", "{}?$1", "ü" * 120 + "/x.mp4",
]  # fmt: skip


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def make_row(path: str, seed: int = 0, d: int = D, frames: int = 3, windows: int = 2) -> Row:
    rng = np.random.default_rng(seed)
    spoken = tuple(Segment(float(i), i + 1.5, f"words {i}") for i in range(windows))
    top, slash, _ = path.partition("/")
    return Row(
        path=path, label=top if slash else None, content_hash=f"hash-{seed}", size=1000 + seed,
        mtime_ns=1_700_000_000_123_456_789 + seed, duration_seconds=12.5, width=1080, height=1920,
        visual=unit(rng, d), speech=unit(rng, d) if windows else np.zeros(d, np.float32),
        frame_times=np.linspace(0, 12, frames), frame_vectors=unit(rng, frames, d),
        frames_readable=50, frames_total=50, thumbnail=b"\xff\xd8" + bytes(20),
        speech_status="speech" if windows else "no_audio", language="en" if windows else None,
        language_probability=0.9 if windows else None, segments=spoken,
        transcript=" ".join(piece.text for piece in spoken), translation=None,
        speech_windows=spoken,
        speech_vectors=unit(rng, windows, d), visual_recipe="clip A", transcript_recipe="whisper A",
        speech_recipe="clip A, whisper A", embedded_at=NOW, moment_times=np.zeros(0),
        moment_vectors=np.zeros((0, d), np.float32), moments_recipe=None,
    )  # fmt: skip


def coherent(path: str, seed: int, windows: int) -> Row:
    """A row of which the halves are the means of their pieces."""
    row = make_row(path, seed, windows=windows)
    speech = _mean(row.speech_vectors) if windows else row.speech
    return replace(row, visual=_mean(row.frame_vectors), speech=speech)


def _mean(vectors: np.ndarray) -> np.ndarray:
    whole: np.ndarray = vectors.mean(axis=0)
    return whole / np.linalg.norm(whole)


def failed(path: str, size: int = 7, **other: Any) -> FailedFile:
    values: dict[str, Any] = {
        "path": path, "size": size, "mtime_ns": 1, "content_hash": None, "stage": "decode",
        "reason": "no video stream", "recipe": "r", "failed_at": NOW,
    }  # fmt: skip
    return FailedFile(**(values | other))


def assert_same(kept: Row, given: Row) -> None:
    """Equal, apart from the vectors that are kept in half precision."""
    for name in (field.name for field in fields(Row)):
        before, after = getattr(given, name), getattr(kept, name)
        if name in ("frame_vectors", "speech_vectors", "moment_vectors"):
            assert after.dtype == np.float32
            np.testing.assert_array_equal(after, before.astype(np.float16))
        elif isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before, name
