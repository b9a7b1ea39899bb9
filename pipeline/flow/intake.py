"""The decode stage as a plain function: a settled file -> what the models need of it.

Reads the file's bytes first: a content that is known, or that another thread is at, is not decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from pipeline.config import Settings
from pipeline.decode.video import Contents, Prepare, content_hash, read_video
from pipeline.errors import VideoError
from pipeline.flow.catalog import Catalog
from pipeline.flow.heartbeat import Heartbeat
from pipeline.flow.journal import Journal
from pipeline.models.vad import listen
from pipeline.records import (
    DecodedVideo,
    Failure,
    MediaFacts,
    Needs,
    Reused,
    SpeechStatus,
    SpeechWindow,
    Task,
    Transcript,
    VideoFile,
)


class Intake:
    """Args:
    library: what is known.
    prepare: gives CLIP's preprocessing; asked for only when a picture is decoded.
    transcript_of: the words of a row, by its content; None where it has gone.
    journal: notes what is in hand.
    pulse: hears that reading goes on.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        prepare: Callable[[], Prepare],
        transcript_of: Callable[[str], Transcript | None],
        journal: Journal,
        *,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._prepare = prepare
        self._transcript_of = transcript_of
        self._journal = journal
        self._heartbeat = heartbeat or Heartbeat()

    def take_each(self, files: Iterable[VideoFile]) -> Iterator[DecodedVideo | Reused | Failure]:
        """`take` of each file, as a stage wants it."""
        for file in files:
            with self._journal.in_hand([file.path]):
                taken = self.take(file)
            if taken is not None:
                yield taken

    def take(self, file: VideoFile) -> DecodedVideo | Reused | Failure | None:
        """What comes of a file; None where it waits for another with the same content."""
        digest: str | None = None
        try:
            with self._heartbeat.reading(file) as beat:
                digest = content_hash(file.location, beat)
            claim = self._catalog.claim(file, digest)
            return self.decode(claim) if isinstance(claim, Task) else claim
        except VideoError as error:
            return Failure(file, error.stage, error.reason, digest)

    def decode(self, task: Task) -> DecodedVideo:
        """The frames and the speech that a task needs.

        Raises:
            VideoError: the file cannot be decoded.
        """
        words = None
        if task.needs.speech and not task.needs.transcript and task.source is not None:
            words = self._transcript_of(task.content_hash)
            task = task if words is not None else replace(task, needs=Needs(), source=None)
        contents = self._read(task)
        windows = self._listen(contents) if task.needs.transcript else ()
        return DecodedVideo(
            task,
            MediaFacts(contents.duration_seconds, contents.width, contents.height),
            contents.frames,
            windows,
            _silence(contents, windows) if task.needs.transcript else None,
            contents.sound.start_seconds if contents.sound else 0.0,
            words,
        )

    def _read(self, task: Task) -> Contents:
        clip, limits = self._settings.clip, self._settings.decode
        prepare = self._prepare() if task.needs.visual else np.asarray
        with self._heartbeat.reading(task.file) as beat:
            return read_video(
                task.file.location,
                n_frames=clip.frames if task.needs.visual else 0,
                want_sound=task.needs.transcript,
                prepare=prepare,
                max_megapixels=limits.max_megapixels,
                timeout_seconds=limits.timeout_seconds,
                at_keyframes=clip.sampling == "keyframes",
                beat=beat,
            )

    def _listen(self, contents: Contents) -> tuple[SpeechWindow, ...]:
        if contents.sound is None:
            return ()
        return listen(contents.sound.samples, self._settings.whisper.vad)


def _silence(contents: Contents, windows: tuple[SpeechWindow, ...]) -> SpeechStatus | None:
    if windows:
        return None
    return SpeechStatus.NO_AUDIO if contents.sound is None else SpeechStatus.NO_SPEECH
