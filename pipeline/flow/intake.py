"""The decode stage of a run: what is done around `stages.decode` for each file.

The file's bytes are hashed first: a known content, or one that another thread decodes, is not
decoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from pipeline.flow.catalog import Catalog
from pipeline.flow.heartbeat import Heartbeat
from pipeline.flow.journal import Journal
from pipeline.records import DecodedVideo, Failure, Needs, Reused, Task, Transcript, VideoFile
from pipeline.stages.decode import Decoder


class Intake:
    """Claims, hashes and decodes files. Safe in any thread.

    Args:
        catalog: What is known, and who is at work on what.
        decoder: Gives the decoder; called only when a file is decoded.
        transcript_of: The words of a row, by its content; None where the row has gone.
        journal: Notes which files are in hand.
        heartbeat: Notes that reading goes on.
    """

    def __init__(
        self,
        catalog: Catalog,
        decoder: Callable[[], Decoder],
        transcript_of: Callable[[str], Transcript | None],
        journal: Journal,
        heartbeat: Heartbeat,
    ) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._transcript_of = transcript_of
        self._journal = journal
        self._heartbeat = heartbeat

    def take_each(self, files: Iterable[VideoFile]) -> Iterator[DecodedVideo | Reused | Failure]:
        """`take` of each file, as a stage of threads calls it."""
        for file in files:
            with self._journal.in_hand([file.path]):
                taken = self.take(file)
            if taken is not None:
                yield taken

    def take(self, file: VideoFile) -> DecodedVideo | Reused | Failure | None:
        """What becomes of a file; None where it waits for another file of the same content."""
        digest: str | None = None
        try:
            with self._heartbeat.reading(file) as beat:
                digest = content_hash(file.location, beat)
            claim = self._catalog.claim(file, digest)
            return self._decode(claim) if isinstance(claim, Task) else claim
        except VideoError as error:
            return Failure(file, error.stage, error.reason, digest)

    def _decode(self, task: Task) -> DecodedVideo:
        words = None
        if task.needs.speech and not task.needs.transcript and task.source is not None:
            words = self._transcript_of(task.content_hash)
            if words is None:  # the row has gone meanwhile: make every part
                task = replace(task, needs=Needs(), source=None)
        decoder = self._decoder()
        with self._heartbeat.reading(task.file) as beat:
            return decoder.decode(task, words, beat)
