"""Files and rows of a catalog, made up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipeline.records import Needs, VideoFile
from store.schema import FailedFile, Known, Recipe

NOTHING = Needs(False, False, False, False)
RECIPE = Recipe("clip", "whisper", "clip whisper")
ROOT = Path("/videos")


def video(path: str, mtime_ns: int = 1, size: int = 10) -> VideoFile:
    return VideoFile(path, ROOT / path, size, mtime_ns)


def row(file: VideoFile, content: str, recipe: Recipe = RECIPE, offline: bool = False) -> Known:
    made_with = recipe
    return Known(file.size, file.mtime_ns, file.label, content, *made_with, offline)


def failure(file: VideoFile, content: str | None, recipe: Recipe = RECIPE) -> FailedFile:
    return FailedFile(
        path=file.path, size=file.size, mtime_ns=file.mtime_ns, content_hash=content,
        stage="decode", reason="broken", recipe=recipe.text, failed_at=datetime.now(UTC),
    )  # fmt: skip


def no_row(content: str) -> None:
    """No row was written over."""
