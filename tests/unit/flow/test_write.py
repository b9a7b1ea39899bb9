"""What one commit does with a record that the store does not take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.flow.rows import read_transcript
from pipeline.flow.write import Writer
from pipeline.outcomes import Outcome, Reused
from pipeline.records import (
    EmbeddedVideo,
    Frames,
    MediaFacts,
    SpeechHalf,
    Task,
    VideoFile,
    VisualHalf,
)
from store.schema import Recipe
from store.table.store import Store
from tests.support.rows import D, make_row

RECIPE = Recipe("clip", "whisper", "clip whisper")
MADE_WITH = dict(zip(("visual_recipe", "transcript_recipe", "speech_recipe"), RECIPE, strict=True))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store"), writer=True) as store:
        store.upsert([replace(make_row("there.mp4"), content_hash="known", **MADE_WITH)])
        yield store


def file(path: str, mtime_ns: int = 1) -> VideoFile:
    return VideoFile(path, Path("/videos", path), 10, mtime_ns)


def embedded(
    writer: Writer, path: str, content: str, number: float = 1.0, mtime_ns: int = 1
) -> EmbeddedVideo:
    """A video on its way, each of whose frame vectors is full of a number."""
    made = file(path, mtime_ns)
    assert writer.claims.submit(made)
    task = writer.claims.claim(made, content)
    assert isinstance(task, Task)
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    vectors = np.full((1, D), number, np.float32)
    row = make_row(path)
    return EmbeddedVideo(
        task,
        MediaFacts(1.0, 4, 4),
        VisualHalf(vectors[0], vectors, Frames(pixels, np.zeros(1), 1, 1, b"")),
        read_transcript(row),
        SpeechHalf(row.speech, row.speech_vectors, row.speech_windows),
    )


def test_a_row_that_is_refused_costs_no_other_one(store: Store) -> None:
    writer = Writer(store, RECIPE)
    results = [
        embedded(writer, "a.mp4", "a"),
        embedded(writer, "bad.mp4", "bad", number=np.nan),
        Reused(file("moved.mp4"), "known"),
        Reused(file("far_away.mp4", mtime_ns=2**70), "known"),  # nor can its failure be stored
        embedded(writer, "z.mp4", "z"),
    ]
    outcomes = {each.path: each.outcome for each in writer.write(results)}
    assert outcomes == {
        "a.mp4": Outcome.EMBEDDED,
        "bad.mp4": Outcome.FAILED,
        "moved.mp4": Outcome.MOVED,
        "far_away.mp4": Outcome.LEFT,
        "z.mp4": Outcome.EMBEDDED,
    }
    assert store.known().keys() == {"a.mp4", "moved.mp4", "z.mp4"}
    (failure,) = store.failures()
    assert (failure.path, failure.stage) == ("bad.mp4", "write")
    assert "not finite" in failure.reason


def test_a_file_that_waits_for_a_refused_one_has_a_row_of_its_own(store: Store) -> None:
    writer = Writer(store, RECIPE)
    refused = embedded(writer, "far_away.mp4", "new", mtime_ns=2**70)
    waits = file("b.mp4")
    assert writer.claims.submit(waits)
    assert writer.claims.claim(waits, "new") is None
    assert {each.path: each.outcome for each in writer.write([refused])} == {
        "far_away.mp4": Outcome.LEFT,
        "b.mp4": Outcome.EMBEDDED,
    }
    assert store.known().keys() == {"there.mp4", "b.mp4"}
    assert not writer.claims.busy
