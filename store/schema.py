"""Records that the store keeps, checked when made: a row of each video, one of each failed file.

Records that hold arrays compare by identity (`eq=False`): arrays have no single truth value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from store.errors import RecordError

SCHEMA_VERSION = 4

READABLE_VERSIONS = (2, 3, 4)
"""Versions of tables that can be read as they are: what an older one lacks may be empty."""

LONG_SECONDS = 60.0
"""Videos longer than this have more frames than those of the recipe, to find moments in."""

EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1
"""Range of the modification times that can be kept: the years 1677 to 2262."""

RECIPE_COLUMNS = ("visual_recipe", "transcript_recipe", "speech_recipe")
"""The columns that hold a row's `Recipe`, in its order."""


class Recipe(NamedTuple):
    """Descriptions of what makes each part of a row; a row with another text is out of date.

    Args:
        visual: CLIP model, weights, frames and sampling.
        transcript: Whisper model, weights and settings.
        speech: how the transcript becomes a vector: CLIP's text encoder, the pooling and the
            language that it is given in, and the transcript's own recipe.
    """

    visual: str
    transcript: str
    speech: str

    @property
    def text(self) -> str:
        """The recipe on one line, as failures keep it."""
        return f"{self.visual}; {self.speech}"


class Stamp(NamedTuple):
    """What tells from outside that a file's content is another one.

    Args:
        size: bytes of the file.
        mtime_ns: modification time, nanoseconds since the epoch.
    """

    size: int
    mtime_ns: int


class Known(NamedTuple):
    """The part of a row that a scan has to know; a plain tuple, since a scan reads them all."""

    size: int
    mtime_ns: int
    label: str | None
    content_hash: str
    visual_recipe: str
    transcript_recipe: str
    speech_recipe: str
    offline: bool
    duration_seconds: float = 0.0
    moments_recipe: str | None = None

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.mtime_ns)

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.visual_recipe, self.transcript_recipe, self.speech_recipe)


@dataclass(frozen=True)
class Segment:
    """A timed piece of a transcript.

    Args:
        start: seconds of the video.
        end: seconds of the video.
        text: what is said.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True, eq=False)
class Row:
    """One video, whole: it is written in one commit.

    Args:
        path: relative to the collection's root, posix form; the key.
        label: name of the top folder that it is in; None for an unlabeled video.
        content_hash: hash of the file's bytes.
        size: bytes of the file.
        mtime_ns: modification time, nanoseconds since 1970, in 64 bits.
        duration_seconds: length of the video.
        width: pixels of the upright picture.
        height: pixels of the upright picture.
        visual: float32 `[d]`, the visual half of the embedding.
        speech: float32 `[d]`, the speech half; zeros where there is no text.
        frame_times: float64 `[n]`, seconds of the frames.
        frame_vectors: float32 `[n, d]`; kept in half precision.
        frames_readable: how many frames of the video could be decoded.
        frames_total: how many frames the file claims to hold.
        thumbnail: a JPEG.
        speech_status: `speech`, `no_audio`, `no_speech` or `no_text`.
        language: ISO 639-1 code; None where nobody speaks.
        language_probability: 0 to 1, or None.
        segments: the transcript with its times.
        transcript: its text.
        translation: the English that was encoded in place of the transcript, with its times; None
            where the transcript itself was. Nobody said these words, so that searches for words
            look at the transcript alone, and exports have none of them.
        speech_windows: the `w` stretches of transcript that were encoded, in the words that were
            said.
        speech_vectors: float32 `[w, d]`; kept in half precision.
        visual_recipe: what made the visual half (see `Recipe`).
        transcript_recipe: what made the transcript.
        speech_recipe: what made the speech half.
        moment_times: float64 `[m]`, seconds of a long video's further frames. Searches look at
            them, and nothing else does: they count neither in `visual` nor in an export.
        moment_vectors: float32 `[m, d]`; kept in half precision.
        moments_recipe: what made them; None or empty where none were to be made.
        embedded_at: time, with a time zone.
        offline: whether its file was not there at the last look.

    Raises:
        RecordError: the path is not valid Unicode (a file name of other bytes), or the
            modification time or another count does not fit 64 bits.
        ValueError: a shape, a type or a number is wrong.
    """

    path: str
    label: str | None
    content_hash: str
    size: int
    mtime_ns: int
    duration_seconds: float
    width: int
    height: int
    visual: np.ndarray
    speech: np.ndarray
    frame_times: np.ndarray
    frame_vectors: np.ndarray
    frames_readable: int
    frames_total: int
    thumbnail: bytes
    speech_status: str
    language: str | None
    language_probability: float | None
    segments: tuple[Segment, ...]
    transcript: str
    translation: tuple[Segment, ...] | None
    speech_windows: tuple[Segment, ...]
    speech_vectors: np.ndarray
    visual_recipe: str
    transcript_recipe: str
    speech_recipe: str
    moment_times: np.ndarray
    moment_vectors: np.ndarray
    moments_recipe: str | None
    embedded_at: datetime
    offline: bool = False

    def __post_init__(self) -> None:
        check_key(self.path)
        _check_integers(self, "mtime_ns", "size", "frames_readable", "frames_total")
        d = self.dimension
        _check(self, "visual", (d,))
        _check(self, "speech", (d,))
        _check(self, "frame_times", (len(self.frame_vectors),), np.float64)
        _check(self, "frame_vectors", (len(self.frame_times), d))
        _check(self, "speech_vectors", (len(self.speech_windows), d))
        _check(self, "moment_times", (len(self.moment_vectors),), np.float64)
        _check(self, "moment_vectors", (len(self.moment_times), d))
        if self.embedded_at.tzinfo is None:
            raise ValueError(f"{self.path}: embedded_at has no time zone")

    @property
    def dimension(self) -> int:
        """How many numbers each half of the embedding has."""
        return len(self.visual)

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.mtime_ns)

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.visual_recipe, self.transcript_recipe, self.speech_recipe)

    def __repr__(self) -> str:
        return (
            f"Row({self.path!r}, label={self.label!r}, d={self.dimension}, "
            f"frames={len(self.frame_times)} of {self.frames_readable}/{self.frames_total}, "
            f"{self.speech_status}, "
            f"windows={len(self.speech_windows)})"
        )


@dataclass(frozen=True)
class FailedFile:
    """A file that could not be embedded.

    Args:
        path: as in `Row`.
        size: as in `Row`.
        mtime_ns: as in `Row`.
        content_hash: as in `Row`; None where the file was not read.
        stage: where it failed.
        reason: why, in words.
        recipe: what it was tried with (see `Recipe.text`).
        failed_at: time, with a time zone.
        attempts: tries of this very file; the store adds up those of the same size and mtime.
    """

    path: str
    size: int
    mtime_ns: int
    content_hash: str | None
    stage: str
    reason: str
    recipe: str
    failed_at: datetime
    attempts: int = 1

    def __post_init__(self) -> None:
        check_key(self.path)
        _check_integers(self, "mtime_ns", "size")
        if self.failed_at.tzinfo is None:
            raise ValueError(f"{self.path}: failed_at has no time zone")
        # An error may name a file, and a file name any bytes.
        text = self.reason.encode(errors="backslashreplace").decode()
        object.__setattr__(self, "reason", text)

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.mtime_ns)


def check_key(key: str) -> str:
    """Check a key, and give it back.

    Raises:
        RecordError: it is empty or not valid Unicode, and cannot be stored.
    """
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{key!a}: the name is not valid UTF-8 and cannot be stored; rename the file"
        ) from error
    if not key:
        raise RecordError("an empty path cannot be stored")
    return key


def _check_integers(record: Row | FailedFile, *names: str) -> None:
    """Check that numbers fit their columns of 64 bits.

    Raises:
        RecordError: one does not.
    """
    for name in names:
        number = getattr(record, name)
        if not EARLIEST_NS <= number <= LATEST_NS:
            raise RecordError(f"{record.path}: {name} {number} does not fit 64 bits")


def _check(row: Row, name: str, shape: tuple[int, ...], dtype: type = np.float32) -> None:
    array: np.ndarray = getattr(row, name)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{row.path}: {name} must be {np.dtype(dtype)}{list(shape)}, "
            f"not {array.dtype}{list(array.shape)}"
        )
    # Vectors of about unit length fit half precision, which some are kept in.
    if not np.isfinite(array).all() or (array.dtype == np.float32 and (abs(array) > 60_000).any()):
        raise ValueError(f"{row.path}: {name} holds numbers that are not finite")
