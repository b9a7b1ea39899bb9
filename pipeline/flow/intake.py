"""The decode stage of a run: what is done around `stages.decode` for each file.

The file's bytes are hashed first: a known content, or one that another thread decodes, is not
decoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from pipeline.flow.engine import Shared
from pipeline.records import DecodedVideo, Failure, Needs, Reused, Task, VideoFile
from pipeline.stages.decode import Decoder

Intaken = DecodedVideo | Reused | Failure
"""What the decode stage makes of a file."""


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
            with self._shared.journal.in_hand([file.path]):
                taken = self.take(file)
            if taken is not None:
                yield taken

    def take(self, file: VideoFile) -> Intaken | None:
        """Decode a file; None where it waits for another file of the same content."""
        digest: str | None = None
        try:
            with self._shared.heartbeat.reading(file) as beat:
                digest = content_hash(file.location, beat)
            claim = self._shared.claims.claim(file, digest)
            return self._decode(claim) if isinstance(claim, Task) else claim
        except VideoError as error:
            return Failure(file, error.stage, error.reason, digest)

    def _decode(self, task: Task) -> DecodedVideo:
        words = None
        if task.needs.speech and not task.needs.transcript and task.source is not None:
            words = self._shared.transcript_of(task.content_hash)
            if words is None:  # the row has gone meanwhile: make every part
                task = replace(task, needs=Needs(), source=None)
        decoder = self._decoder()
        with self._shared.heartbeat.reading(task.file) as beat:
            return decoder.decode(task, words, beat)
