"""A video as the page and its API show it, and which of them a list holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Literal

from store.retrieval.filter import Filter

Order = Literal["path", "new", "long"]
"""By path, newest first, longest first."""

KEY_BYTES = 10  # of 100,000 paths, two have one key with a probability of 1e-14


@dataclass(frozen=True)
class Filters:
    """Which videos are listed; all conditions have to hold.

    Args:
        only: conditions that a search takes, too.
        offline: only videos whose file is not there; else they are left out.
        failed: only videos that could not be embedded, which are no rows.
    """

    only: Filter = field(default_factory=Filter)
    offline: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Media:
    """How a video plays.

    Args:
        url: what to play.
        kind: `file`, or `preview` where a browser cannot play the file itself; None where nobody
            has looked yet.
    """

    url: str
    kind: str | None


@dataclass(frozen=True)
class Failure:
    """Why a video could not be embedded.

    Args:
        stage: where it failed.
        error: why, in words.
        hint: what to do; None where the error says it all.
        failed_at: when it was last tried.
        attempts: how often.
    """

    stage: str
    error: str
    hint: str | None
    failed_at: datetime
    attempts: int


@dataclass(frozen=True)
class Video:
    """One video, as a list shows it.

    Args:
        key: names the row; another one after a move.
        content: hash of the file's bytes; empty where that could not be read.
        path: path below the collection's root, to be shown.
        name: its last part.
        folder: the folder that is its label; None for an unlabeled video.
        modified_at: modification time of the file, ISO 8601.
        seconds: length; 0, as the size is, where it could not be embedded.
        width: pixels, upright.
        height: pixels, upright.
        language: language that is spoken; None where nobody speaks.
        speech: whether somebody speaks.
        offline: whether the file was not there at the last look.
        embedded_at: time, ISO 8601; None where it could not be embedded.
        media: how it plays; None where it could not be embedded.
        thumb: URL of its thumbnail; None likewise.
        failure: why it could not be embedded.
    """

    key: str
    content: str
    path: str
    name: str
    folder: str | None
    modified_at: datetime
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    language: str | None = None
    speech: bool = False
    offline: bool = False
    embedded_at: datetime | None = None
    media: Media | None = None
    thumb: str | None = None
    failure: Failure | None = None


def key_of(path: str) -> str:
    """Name a row by a hash of its path, so that no address has a path in it."""
    return blake2b(path.encode(), digest_size=KEY_BYTES).hexdigest()


def time_of(nanoseconds: int) -> datetime:
    """Read a modification time, to the second."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
