"""What a run asks of its engine: the two middle stages, which make results of files.

The feeder, the claims, the journal and the writer stay in this process whatever engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.flow.channel import Channel
from pipeline.flow.claims import Claims
from pipeline.flow.heartbeat import Heartbeat
from pipeline.flow.journal import Journal
from pipeline.flow.workers import StageGroup
from pipeline.outcomes import Failure, Left, Result, Written
from pipeline.records import Task, VideoFile
from pipeline.speech import Transcript

EncodeTexts = Callable[[Sequence[str]], np.ndarray]


class Decoded(Protocol):
    """A decoded video, wherever its frames are."""

    @property
    def task(self) -> Task:
        """What to make of it."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds while it waits."""


class Reader(Protocol):
    """Reads files, wherever that is done. Safe in any thread."""

    def hash(self, file: VideoFile) -> str | Failure | Left:
        """Hash a file's bytes."""

    def decode(self, task: Task, words: Transcript | None) -> Decoded | Failure | Left:
        """Decode what a task needs; `words` are of the stored row, where they are kept."""


class VideoEmbedder(Protocol):
    """Runs the models on batches, wherever that is done. Safe in any thread."""

    def embed(self, videos: Sequence[Any]) -> Sequence[Result]:
        """Embed what a `Reader` decoded; one result a video.

        Raises:
            ModelError: a model or its device cannot be used.
        """


@dataclass(frozen=True)
class Line:
    """Both ends of an engine.

    Args:
        files: where the feeder puts files that need work.
        results: where the writer takes what became of them.
    """

    files: Channel[VideoFile]
    results: Channel[Written]


@dataclass(frozen=True)
class Shared:
    """What an engine's stages share with the rest of the run.

    Args:
        claims: decides which file embeds a content.
        transcript_of: gives the words of a content from its row; None where the row has gone.
        journal: notes which files are in hand.
        heartbeat: notes that reading goes on.
    """

    claims: Claims
    transcript_of: Callable[[str], Transcript | None]
    journal: Journal
    heartbeat: Heartbeat


class Engine(Protocol):
    """Runs the decode stage and the model stage."""

    @property
    def cores(self) -> int | None:
        """Cores of this machine that all stages together may use; None for any number."""

    @property
    def loading_seconds(self) -> float:
        """How long the models took to load in this run; 0 where they did not, or nobody knows."""

    def connect(self, stages: StageGroup, shared: Shared) -> Line:
        """Start the stages in a group, and give their two ends."""

    def abandon(self) -> None:
        """End what runs outside of this process, which is about to leave at once."""

    def text_encoder(self) -> EncodeTexts | None:
        """CLIP's text encoder, None where no CLIP is loaded."""
