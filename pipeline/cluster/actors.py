"""The actors of a cluster: the stages, in processes of their own on any node.

Each answers with values only: what a video is to blame for is a `Failure`, and log records go along
with the answer, since what an actor prints nobody sees. The classes are plain Python; the pool
makes actors of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.flow.crash_trial import crash_of, limit_seconds
from pipeline.models.loaded import Models
from pipeline.models.preprocess import Preprocess
from pipeline.outcomes import Failure, Left
from pipeline.records import DecodedVideo, EmbeddedVideo, Task, VideoFile
from pipeline.settings import Settings
from pipeline.speech import Transcript
from pipeline.stages.decode import Decoder
from pipeline.stages.embed import Embedder
from pipeline.stages.read import decode_file, hash_file


@dataclass(frozen=True)
class Remark:
    """What an actor has to say to a person, or a record of its log.

    Args:
        text: the message.
        logger: name of the logger; empty for what is said.
        level: of the record, as `logging` counts.
    """

    text: str
    logger: str = ""
    level: int = logging.INFO


@dataclass(frozen=True)
class Answer:
    """What a call gives.

    Args:
        value: the result.
        remarks: said and logged since the last answer.
        loading_seconds: that the actor has spent on loading models so far.
    """

    value: Any
    remarks: tuple[Remark, ...] = ()
    loading_seconds: float = 0.0


class _Notes(logging.Handler):
    """Collects log records, and lines that are said, for the next answer."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._remarks: list[Remark] = []
        root = logging.getLogger()
        root.handlers[:] = [self]
        for ours in ("pipeline", "store"):
            logging.getLogger(ours).setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self._remarks.append(Remark(record.getMessage(), record.name, record.levelno))

    def say(self, text: str) -> None:
        self._remarks.append(Remark(text))

    def answer(self, value: Any, loading_seconds: float = 0.0) -> Answer:
        remarks, self._remarks = self._remarks, []
        return Answer(value, tuple(remarks), loading_seconds)


class DecoderActor:
    """Hashes and decodes files, one at a time, on one core.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: Settings) -> None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray hides none from an actor that asks for none
        self._settings = settings
        self._notes = _Notes()
        self._beats = 0

    def start(self) -> None:
        """Answer once the process runs."""

    def hash(self, file: VideoFile) -> Answer:
        """Hash a file; the value is the digest, a `Failure` or a `Left`."""
        digest = hash_file(located(self._settings, file), self._beat)
        return self._notes.answer(_back(digest, file))

    def decode(
        self, task: Task, words: Transcript | None, preprocess: Preprocess
    ) -> tuple[Answer, DecodedVideo | None]:
        """Decode what a task needs.

        Args:
            task: the file, where the driver has it, and the parts to make.
            words: of the stored row, where they are kept.
            preprocess: CLIP's, which it would take open_clip and torch to read.

        Returns:
            An answer, whose value is the number of bytes of the second, a `Failure` or a `Left`;
            and the video, which stays in this node's object store.
        """
        there = replace(task, file=located(self._settings, task.file))
        made = decode_file(Decoder(self._settings, preprocess), there, words, self._beat)
        if not isinstance(made, DecodedVideo):
            return self._notes.answer(_back(made, task.file)), None
        return self._notes.answer(made.nbytes), replace(
            made, task=replace(made.task, file=task.file)
        )

    def crash_of(self, file: VideoFile) -> Answer:
        """Try a file in a process of its own; the value is why it crashes, or None."""
        location = located(self._settings, file).location
        limit = limit_seconds(self._settings)
        return self._notes.answer(crash_of(self._settings, [location], limit))

    def beats(self) -> int:
        """Count how often reading has gone on; called while another method runs."""
        return self._beats

    def _beat(self) -> None:
        self._beats += 1


class EmbedderActor:
    """Holds both models, and embeds batches.

    Args:
        settings: of the run.
        gpus: of this actor; Ray shows it no others.
        threads: cores that one call of a model computes on; 0 for all.
        calls: batches at a time.
    """

    def __init__(self, settings: Settings, gpus: float, threads: int, calls: int) -> None:
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        elif settings.device.startswith("cuda"):
            settings = settings.model_copy(update={"device": "cuda"})  # the one that it sees
        self._notes = _Notes()
        self._models = Models(settings, self._notes.say, threads=threads, streams=calls)
        self._embedder = Embedder.of(settings, self._models)

    def start(self) -> None:
        """Answer once the process runs."""

    def read_preprocess(self) -> Answer:
        """Read CLIP's preprocessing; it takes the libraries that this actor needs anyway.

        Raises:
            ModelError: the model's configuration cannot be read.
        """
        return self._notes.answer(self._models.preprocess())

    def embed(self, *videos: DecodedVideo) -> Answer:
        """Embed a batch; the value is an `EmbeddedVideo` without pixels, or a `Failure`, of each.

        Raises:
            ModelError: a model or its device cannot be used.
        """
        made = [_without_pixels(each) for each in self._embedder.embed(videos)]
        return self._notes.answer(made, self._models.loading_seconds)

    def encode_texts(self, texts: Sequence[str]) -> Answer:
        """Encode texts with CLIP; float32 `[n, d]`."""
        return self._notes.answer(self._models.clip().encode_texts(texts))


def located(settings: Settings, file: VideoFile) -> VideoFile:
    """The file at its place on a node."""
    return replace(file, location=place_on_node(settings, file.location))


def place_on_node(settings: Settings, location: Path) -> Path:
    """Where a node has what is in the collection: elsewhere, if `ray.data_dir` says so."""
    root, there = settings.path(settings.data.dir), settings.ray.data_dir
    if not there or not location.is_relative_to(root):
        return location
    return Path(there) / location.relative_to(root)


def _back(made: Any, file: VideoFile) -> Any:
    return replace(made, file=file) if isinstance(made, Failure | Left) else made


def _without_pixels(made: EmbeddedVideo | Failure) -> EmbeddedVideo | Failure:
    """Drop what no row has, and what would be most of the answer: 780 kB in place of 20."""
    if isinstance(made, Failure) or made.visual is None:
        return made
    frames = replace(made.visual.frames, pixels=made.visual.frames.pixels[:, :0, :0])
    return replace(made, visual=replace(made.visual, frames=frames))
