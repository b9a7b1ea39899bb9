r"""What becomes of a file, as the stages tell it and the writer takes it.

VideoFile -> EmbeddedVideo -> a row
         \-> Reused -------> a row like another one
         \-> Failure
         \-> Left
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.errors import Stage
from pipeline.records import EmbeddedVideo, VideoFile


class Outcome(StrEnum):
    """What became of a file."""

    EMBEDDED = "embedded"
    UNCHANGED = "unchanged"  # touched: the same bytes at the same place
    MOVED = "moved"
    COPIED = "copied"
    REMOVED = "removed"
    FAILED = "failed"
    LEFT = "left"  # gone, changed or overtaken by a newer state meanwhile: nothing was written


@dataclass(frozen=True)
class Reused:
    """A file whose content is in the store already: touched, moved or copied. No model runs."""

    file: VideoFile
    content_hash: str


@dataclass(frozen=True)
class Vanished:
    """Notice that the files of these paths are gone."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Returned:
    """Notice that the files of these offline rows are there again, as they were."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A video that could not be embedded.

    Args:
        file: as it was listed.
        stage: where it failed.
        reason: what is wrong with it, in words.
        content_hash: of its bytes; None where they could not be read.
    """

    file: VideoFile
    stage: Stage
    reason: str
    content_hash: str | None = None


@dataclass(frozen=True)
class Left:
    """A file that was no longer as listed when it was read: gone, changed or out of reach.

    That is no fault of its content. What comes after it finds the file again, if it is there.

    Args:
        file: as it was listed.
        why: what was seen of it; empty where it has gone.
    """

    file: VideoFile
    why: str = field(default="", compare=False)

    @property
    def content_hash(self) -> None:
        """None: what was read is not the content of what was listed."""


Result = EmbeddedVideo | Reused | Failure | Left
"""What the stages make of a file."""

Written = Result | Vanished | Returned
"""What the writer takes."""
