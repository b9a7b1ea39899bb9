"""The decode stage: a file that was listed -> its content, and what the models need of it.

Only bytes of the file as it was listed count: its size and time are compared again after reading.
A file that is no longer so is left; that is no fault of its content.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from pipeline.outcomes import Failure, Left
from pipeline.records import DecodedVideo, Task, VideoFile
from pipeline.source.presence import Unknown, look_at
from pipeline.speech import Transcript
from pipeline.stages.decode import Decoder
from store.schema import Stamp

Beat = Callable[[], None]
"""Notes that reading goes on."""


def hash_file(file: VideoFile, beat: Beat) -> str | Failure | Left:
    """Hash a file's bytes.

    Args:
        file: as it was listed.
        beat: called whenever reading goes on.
    """
    try:
        return content_hash(file.location, beat)
    except VideoError as error:
        return _fault(file, error)


def decode_file(
    decoder: Decoder, task: Task, words: Transcript | None, beat: Beat
) -> DecodedVideo | Failure | Left:
    """Decode what a task needs.

    Args:
        decoder: decodes it.
        task: the file as it was listed, and the parts to make.
        words: of the stored row, where they are kept.
        beat: called whenever reading goes on.
    """
    file = task.file
    try:
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
        return Left(file, f"cannot be reached ({seen.reason})")
    return Left(file, "changed while it was read" if seen is not None else "")
