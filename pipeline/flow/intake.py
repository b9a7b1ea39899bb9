"""The decode stage of a run: what is done around `stages.decode` for each file.

The file's bytes are hashed first: a known content, or one that another thread decodes, is not
decoded again. A file that went away or changed meanwhile is left, and hands its content over to a
file that waits for it: losing its path is no fault of what was in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from pipeline.flow.engine import Shared
from pipeline.records import DecodedVideo, Failure, Left, Needs, Reused, Stage, Task, VideoFile
from pipeline.source.listing import Unknown, look_at
from pipeline.stages.decode import Decoder
from store.schema import Stamp

Intaken = DecodedVideo | Reused | Failure | Left
"""What the decode stage makes of a file."""

log = logging.getLogger(__name__)


class Intake:
    """Hashes, claims and decodes files. Safe in any thread.

    Args:
        shared: what the run knows of its files.
        decoder: gives the decoder; called only when a file is decoded.
    """

    def __init__(self, shared: Shared, decoder: Callable[[], Decoder]) -> None:
        self._shared = shared
        self._decoder = decoder

    def take_each(self, files: Iterable[VideoFile]) -> Iterator[Intaken]:
        """Yield what becomes of files, as a stage of threads calls it."""
        for file in files:
            yield from self.take(file)

    def take(self, file: VideoFile) -> Iterator[Intaken]:
        """Yield what becomes of a file, and of those that waited for its content in vain.

        Nothing comes where the file waits for another one of the same content.
        """
        claims, claim = self._shared.claims, self._claim(file)
        while isinstance(claim, Task):
            made = self._decode(claim)
            # Before the writer settles this file, and with it those that wait.
            heir = claims.hand_over(claim.file, claim.content_hash) if _lost(made) else None
            yield made
            claim = replace(claim, file=heir) if heir else None
        if claim is not None:
            yield claim

    def _claim(self, file: VideoFile) -> Task | Reused | Failure | Left | None:
        """Hash a file, and decide what to do with its content."""
        shared = self._shared
        try:
            with shared.journal.in_hand([file.path]), shared.heartbeat.reading(file) as beat:
                digest = content_hash(file.location, beat)
        except VideoError as error:
            return _fault(file, error)
        return shared.claims.claim(file, digest)

    def _decode(self, task: Task) -> DecodedVideo | Failure | Left:
        """Decode what a task needs; only bytes of the file that was listed count."""
        words = None
        if task.needs.speech and not task.needs.transcript and task.source is not None:
            words = self._shared.transcript_of(task.content_hash)
            if words is None:  # the row has gone meanwhile: make every part
                task = replace(task, needs=Needs(), source=None)
        file = task.file
        try:
            with self._shared.journal.in_hand([file.path]):
                decoder = self._decoder()
                with self._shared.heartbeat.reading(file) as beat:
                    decoded = decoder.decode(task, words, beat)
        except VideoError as error:
            return _fault(file, error, task.content_hash)
        seen = look_at(file.location)
        # One that is gone by now was there whenever it was opened.
        return _left(file, seen) if isinstance(seen, Stamp) and seen != file.stamp else decoded


def _fault(file: VideoFile, error: VideoError, digest: str | None = None) -> Failure | Left:
    """Tell a file that cannot be embedded from one that is no longer as it was listed."""
    seen = look_at(file.location)
    if seen == file.stamp:
        return Failure(file, error.stage, error.reason, digest)
    return _left(file, seen)


def _left(file: VideoFile, seen: Stamp | Unknown | None) -> Left:
    if isinstance(seen, Unknown):
        text = "%r cannot be reached (%s): it is left for the next scan"
        log.warning(text, file.path, seen.reason)
    elif seen is not None:
        log.warning("%r changed while it was read: it is left for the next scan", file.path)
    return Left(file)


def _lost(made: DecodedVideo | Failure | Left) -> bool:
    """Whether a file did not come through for a reason that its copies do not share."""
    return isinstance(made, Left) or (isinstance(made, Failure) and made.stage is Stage.READ)
