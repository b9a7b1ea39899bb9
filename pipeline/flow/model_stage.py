"""The model stage of a run: what is done around `stages.embed` for each batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors import ModelError
from pipeline.flow.engine import VideoEmbedder
from pipeline.flow.intake import Intaken
from pipeline.outcomes import Failure, Left, Result, Reused

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
                f" {result.reason}; once that is fixed, `retry` forgets their failures"
            )


class ModelStage:
    """Embeds batches of decoded videos, and passes on what needs no model. Safe in any thread.

    Args:
        embedder: both models.
    """

    def __init__(self, embedder: VideoEmbedder) -> None:
        self._embedder = embedder
        self._streak = FailureStreak()

    def embed_each(self, batch: Sequence[Intaken]) -> Iterator[Result]:
        """Yield the results of a batch, as a stage of threads calls it.

        Raises:
            ModelError: a model cannot be loaded, or fails again and again.
        """
        ready = [each for each in batch if isinstance(each, Reused | Failure | Left)]
        yield from ready
        videos = [each for each in batch if not isinstance(each, Reused | Failure | Left)]
        for result in self._embedder.embed(videos) if videos else ():
            self._streak.note(result)
            yield result
