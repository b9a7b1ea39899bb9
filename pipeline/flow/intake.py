"""The decode stage of a run: each file's content is claimed before it is decoded.

The file's bytes are hashed first: a known content, or one that another thread decodes, is not
decoded again. A file that went away or changed meanwhile is left, and hands its content over to a
file that waits for it: losing its path is no fault of what was in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from pipeline.errors import Stage
from pipeline.flow.claims import Claims
from pipeline.flow.engine import Decoded, Reader
from pipeline.outcomes import Failure, Left, Reused
from pipeline.records import Needs, Task, VideoFile
from pipeline.speech import Transcript

Intaken = Decoded | Reused | Failure | Left
"""What the decode stage makes of a file."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Intake:
    """Hashes, claims and decodes files. Safe in any thread.

    Args:
        claims: decides which file embeds a content.
        transcript_of: gives the words of a content from its row; None where the row has gone.
        reader: reads the files.
    """

    def __init__(
        self, claims: Claims, transcript_of: Callable[[str], Transcript | None], reader: Reader
    ) -> None:
        self._claims = claims
        self._transcript_of = transcript_of
        self._reader = reader

    def take_each(self, files: Iterable[VideoFile]) -> Iterator[Intaken]:
        """Yield what becomes of files, as a stage of threads calls it."""
        for file in files:
            yield from self.take(file)

    def take(self, file: VideoFile) -> Iterator[Intaken]:
        """Yield what becomes of a file, and of those that waited for its content in vain.

        Nothing comes where the file waits for another one of the same content.
        """
        claim = self._claim(file)
        if isinstance(claim, Task):
            yield from self.make(claim)
        elif claim is not None:
            yield claim

    def make(self, task: Task) -> Iterator[Intaken]:
        """Yield what becomes of a file that holds its content, and of those that wait in vain."""
        holder: Task | None = task
        while holder:
            made = _logged(self._decode(holder))
            # Before the writer settles this file, and with it those that wait.
            heir = self._claims.hand_over(holder.file, holder.content_hash) if _lost(made) else None
            yield made
            holder = replace(holder, file=heir) if heir else None

    def _claim(self, file: VideoFile) -> Task | Reused | Failure | Left | None:
        """Hash a file, and decide what to do with its content."""
        digest = self._reader.hash(file)
        return self._claims.claim(file, digest) if isinstance(digest, str) else _logged(digest)

    def _decode(self, task: Task) -> Decoded | Failure | Left:
        """Decode what a task needs."""
        words = None
        if task.needs.speech and not task.needs.transcript and task.source is not None:
            words = self._transcript_of(task.content_hash)
            if words is None:  # the row has gone meanwhile: make every part
                task = replace(task, needs=Needs(), source=None)
        return self._reader.decode(task, words)


def _logged(made: T) -> T:
    """Say why a file is left; anything else passes as it is."""
    if isinstance(made, Left) and made.why:
        log.warning("%r %s: it is left for the next scan", made.file.path, made.why)
    return made


def _lost(made: Intaken) -> bool:
    """Whether a file did not come through for a reason that its copies do not share."""
    return isinstance(made, Left) or (isinstance(made, Failure) and made.stage is Stage.READ)
