"""What a run asks of its engine: the two middle stages, which make results of files.

The feeder, the claims, the journal and the writer stay in this process whatever engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.flow.claims import Claims
from pipeline.flow.heartbeat import Heartbeat
from pipeline.flow.journal import Journal
from pipeline.flow.workers import Channel, StageGroup
from pipeline.records import Transcript, VideoFile, Written

EncodeTexts = Callable[[Sequence[str]], np.ndarray]


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

    def connect(self, stages: StageGroup, shared: Shared) -> Line:
        """Start the stages in a group, and give their two ends."""

    def text_encoder(self) -> EncodeTexts | None:
        """CLIP's text encoder, None where no CLIP is loaded."""
