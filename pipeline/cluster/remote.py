"""Both stages as calls of actors: what is done when one of them is lost.

A file or a batch in hand of an actor that is gone is given to another. Whatever was in hand twice
when an actor died goes alone, file by file; a file that takes an actor down twice more, alone, is
to blame. A node that dies is nobody's fault. Nothing is written before it is done, so that nothing
is written twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.cluster.pool import Lost, Pool, Silent
from pipeline.errors import Stage
from pipeline.flow.heartbeat import hung
from pipeline.flow.intake import Intaken
from pipeline.models.preprocess import Preprocess
from pipeline.outcomes import Failure, Left, Result
from pipeline.records import Task, VideoFile
from pipeline.speech import Transcript

TOGETHER = 2  # losses, after which a file goes alone
ALONE = 2  # actors that a file takes down alone, and is to blame

CRASHES = "it crashes the process"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteVideo:
    """A decoded video in the object store of a node.

    Args:
        task: what to make of it.
        reference: Ray's, of the `DecodedVideo`.
        nbytes: memory that it holds there.
    """

    task: Task
    reference: Any
    nbytes: int


class RemoteReader:
    """Reads files in decoder actors, each file in one of them if it can be.

    Args:
        decoders: to ask.
        preprocess: gives CLIP's preprocessing; called only when a file is decoded.
        timeout_seconds: time without progress after which an actor is killed.
    """

    def __init__(
        self, decoders: Pool, preprocess: Callable[[], Preprocess], timeout_seconds: float
    ) -> None:
        self._decoders = decoders
        self._preprocess = preprocess
        self._timeout = timeout_seconds
        self._last = threading.local()  # the actor that has the file's bytes in its page cache

    def hash(self, file: VideoFile) -> str | Failure | Left:
        made, _ = self._ask(file, None, "hash", file)
        return made  # type: ignore[no-any-return]

    def decode(self, task: Task, words: Transcript | None) -> RemoteVideo | Failure | Left:
        file, digest = task.file, task.content_hash
        arguments = (task, words, self._preprocess())
        made, reference = self._ask(file, digest, "decode", *arguments, results=2)
        return made if isinstance(made, Failure | Left) else RemoteVideo(task, reference, made)

    def _ask(
        self, file: VideoFile, digest: str | None, method: str, *arguments: Any, results: int = 1
    ) -> tuple[Any, Any]:
        lost = 0
        while lost < TOGETHER + ALONE:
            try:
                made, reference, seat = self._decoders.call(
                    method,
                    *arguments,
                    results=results,
                    alone=lost >= TOGETHER,
                    near=getattr(self._last, "seat", None),
                    silence_seconds=self._timeout,
                )
            except Lost as loss:
                log.info("%r is read again: %s", file.path, loss)
                lost += loss.guilty
            except Silent:
                return Failure(file, Stage.DECODE, hung(self._timeout), digest), None
            else:
                self._last.seat = seat
                return made, reference
        return self.blame(file, digest), None

    def blame(self, file: VideoFile, digest: str | None) -> Failure:
        """Make the failure of a file that takes actors down; a trial tells by which signal."""
        reason = None
        with suppress(Lost):
            reason, _, _ = self._decoders.call("crash_of", file)
        return Failure(file, Stage.CRASH, reason or CRASHES, digest)


class RemoteEmbedder:
    """Embeds batches in embedder actors, which fetch the frames from where they were decoded.

    Args:
        embedders: to ask.
        decode_again: makes of a task what `Intake.make` does.
        blame: makes the failure of a file with a content that takes actors down.
    """

    def __init__(
        self,
        embedders: Pool,
        decode_again: Callable[[Task], Iterator[Intaken]],
        blame: Callable[[VideoFile, str], Failure],
    ) -> None:
        self._embedders = embedders
        self._decode_again = decode_again
        self._blame = blame
        self.has_run = False

    def embed(self, videos: Sequence[RemoteVideo]) -> list[Result]:
        done: list[Result] = []
        for _ in range(TOGETHER):
            if not videos:
                return done
            try:
                return [*done, *self._call(videos)]
            except Lost as loss:
                log.info("%d videos are embedded again: %s", len(videos), loss)
                videos = self._again(videos, done)
        return [*done, *(result for video in videos for result in self._alone(video))]

    def _alone(self, video: RemoteVideo) -> list[Result]:
        done: list[Result] = []
        videos, guilty = [video], 0
        while videos and guilty < ALONE:
            try:
                return [*done, *self._call(videos, alone=True)]
            except Lost as loss:
                log.info("%r is embedded again: %s", videos[0].task.file.path, loss)
                guilty += loss.guilty
                videos = self._again(videos, done)
        return [*done, *(self._blame(v.task.file, v.task.content_hash) for v in videos)]

    def _again(self, videos: Sequence[RemoteVideo], done: list[Result]) -> list[RemoteVideo]:
        """Decode videos again, whose frames may be gone; what does not decode is `done`."""
        made = [each for video in videos for each in self._decode_again(video.task)]
        done += [each for each in made if isinstance(each, Failure | Left)]
        return [each for each in made if isinstance(each, RemoteVideo)]

    def _call(self, videos: Sequence[RemoteVideo], *, alone: bool = False) -> list[Result]:
        references = [video.reference for video in videos]
        made, _, _ = self._embedders.call("embed", *references, alone=alone)
        self.has_run = True
        return made  # type: ignore[no-any-return]
