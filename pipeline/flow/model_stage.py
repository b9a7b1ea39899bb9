"""The model stage of a run: what is done around `stages.embed` for each batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors import ModelError
from pipeline.flow.intake import Intaken
from pipeline.flow.journal import Journal
from pipeline.records import DecodedVideo, Failure, Result
from pipeline.stages.embed import Embedder

FAILURES_IN_A_ROW = 20  # of the models, before the run gives up


class FailureStreak:
    """Counts videos that fail in the models one after another."""

    def __init__(self) -> None:
        self._length = 0

    def note(self, result: Result) -> None:
        """Note what the models made of a video.

        Raises:
            ModelError: too many failed in a row for it to be the videos' fault.
        """
        self._length = self._length + 1 if isinstance(result, Failure) else 0
        if isinstance(result, Failure) and self._length >= FAILURES_IN_A_ROW:
            raise ModelError(
                f"{self._length} videos in a row failed in the models, the last one with:"
                f" {result.reason}; once that is fixed, `python run.py retry` forgets their"
                " failures"
            )


class ModelStage:
    """Embeds batches of decoded videos, and passes on what needs no model. Safe in any thread.

    Args:
        embedder: both models.
        journal: notes which files are in hand.
    """

    def __init__(self, embedder: Embedder, journal: Journal) -> None:
        self._embedder = embedder
        self._journal = journal
        self._streak = FailureStreak()

    def embed_each(self, batch: Sequence[Intaken]) -> Iterator[Result]:
        """Yield the results of a batch, as a stage of threads calls it.

        Raises:
            ModelError: a model cannot be loaded, or fails again and again.
        """
        videos = [each for each in batch if isinstance(each, DecodedVideo)]
        yield from (each for each in batch if not isinstance(each, DecodedVideo))
        with self._journal.in_hand([video.task.file.path for video in videos]):
            made = self._embedder.embed(videos) if videos else []
        for result in made:
            self._streak.note(result)
            yield result
