"""The two middle stages as threads of this process, which work themselves or wait for others."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.flow.channel import AtStop, Channel
from pipeline.flow.engine import Line, VideoEmbedder
from pipeline.flow.intake import Intake, Intaken
from pipeline.flow.model_stage import ModelStage
from pipeline.flow.workers import StageGroup
from pipeline.outcomes import Failure, Left, Reused, Written
from pipeline.records import VideoFile

RESULTS = 256  # that wait for the writer: a few commits


@dataclass(frozen=True)
class Shape:
    """How wide both stages are, and how much may wait between them.

    Args:
        decode: threads that decode.
        models: threads that embed.
        videos: most videos in a batch.
        items: decoded videos that may wait.
        nbytes: bytes that they may hold.
        cores: cores of this machine that a thread which embeds uses.
    """

    decode: int
    models: int
    videos: int
    items: int
    nbytes: int
    cores: int = 1


def wire(stages: StageGroup, intake: Intake, embedder: VideoEmbedder, shape: Shape) -> Line:
    """Start both stages in a group, and give their ends."""
    files: Channel[VideoFile] = stages.channel(shape.decode)
    decoded: Channel[Intaken] = stages.channel(
        shape.items, nbytes=shape.nbytes, producers=shape.decode, at_stop=AtStop.CLEAR
    )
    results: Channel[Written] = stages.channel(RESULTS, producers=shape.models, at_stop=AtStop.KEEP)
    take = intake.take_each
    stages.stage("decode", take, files, decoded, threads=shape.decode, size_of=_nbytes)
    stages.stage(
        "models",
        ModelStage(embedder).embed_each,
        decoded,
        results,
        threads=shape.models,
        most=shape.videos,
        cores=shape.cores,
    )
    return Line(files, results)


def _nbytes(item: Intaken) -> int:
    return 0 if isinstance(item, Reused | Failure | Left) else item.nbytes
