"""What the stages make of a video: one frozen record per hand-off, checked when it is made.

    VideoFile -> Task -> DecodedVideo -> EmbeddedVideo -> a row

`outcomes` has the other ends that a file may come to. Records that hold arrays compare by
identity (`eq=False`): arrays have no single truth value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.speech import SpeechStatus, SpeechWindow, Transcript
from store.schema import Segment, Stamp

if TYPE_CHECKING:
    from PIL import Image

Prepare = Callable[["Image.Image"], np.ndarray]
"""Turns an upright picture into uint8 `[height, width, 3]` at the image encoder's input size."""


@dataclass(frozen=True)
class VideoFile:
    """A video as the folder lists it.

    Args:
        path: key of its row: relative to the collection's root, posix form.
        location: where to open it.
        size: bytes.
        mtime_ns: modification time, nanoseconds since the epoch.
    """

    path: str
    location: Path
    size: int
    mtime_ns: int

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.size, self.mtime_ns)

    @property
    def root(self) -> Path:
        """The collection's folder."""
        return self.location.parents[self.path.count("/")]

    @property
    def label(self) -> str | None:
        """The name of the top folder under the root; None in the root itself."""
        top, slash, _ = self.path.partition("/")
        return top if slash else None


@dataclass(frozen=True)
class Needs:
    """Parts of a row to make; a part that is not needed is kept from the row that exists."""

    visual: bool = True
    transcript: bool = True
    speech: bool = True
    moments: bool = True

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def count(self) -> int:
        """Number of parts to make."""
        return self.visual + self.transcript + self.speech + self.moments


@dataclass(frozen=True, eq=False)
class Frames:
    """Sampled frames of a video, ready for the image encoder.

    Args:
        pixels: uint8 `[n, height, width, 3]`, RGB, upright, at the encoder's input size.
        times: float64 `[n]`, seconds from the start of the video: the first frame, or sound that
            comes before it.
        readable: number of frames of the video that decode, as far as is known.
        total: number of frames that the file claims.
        thumbnail: a JPEG of the middle frame, uncropped.
    """

    pixels: np.ndarray
    times: np.ndarray
    readable: int
    total: int
    thumbnail: bytes

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[3] != 3:
            raise ValueError(f"pixels must be uint8 [n, h, w, 3], not {_describe(self.pixels)}")
        if not 1 <= len(self.pixels) == len(self.times):
            raise ValueError(f"{len(self.pixels)} frames with {len(self.times)} times")

    def __repr__(self) -> str:
        return f"Frames(pixels={_describe(self.pixels)}, of {self.readable}/{self.total})"


@dataclass(frozen=True, eq=False)
class Moments:
    """Further frames of a long video, by which searches find moments.

    Args:
        pixels: uint8 `[m, height, width, 3]`, as in `Frames`.
        times: float64 `[m]`, as in `Frames`, ascending.
    """

    pixels: np.ndarray
    times: np.ndarray

    def __repr__(self) -> str:
        return f"Moments(pixels={_describe(self.pixels)})"


@dataclass(frozen=True)
class MediaFacts:
    """Duration and size of a video.

    Args:
        duration_seconds: from the start of the video to the end of its pictures and sound.
        width: pixels, as a person sees the video: upright, with square pixels.
        height: pixels, likewise.
    """

    duration_seconds: float
    width: int
    height: int


@dataclass(frozen=True)
class Task:
    """A file to embed.

    Args:
        file: as it was listed.
        content_hash: of its bytes.
        needs: parts to make.
        source: path of the row that has the other parts; None where all parts are made.
    """

    file: VideoFile
    content_hash: str
    needs: Needs = Needs()
    source: str | None = None


@dataclass(frozen=True, eq=False)
class DecodedVideo:
    """A decoded video, on its way to the model stage.

    Args:
        task: what to make.
        facts: duration and size.
        frames: None where the visual half is not needed.
        windows: speech to transcribe; empty where there is none.
        silence: why `windows` is empty, else None.
        sound_start_seconds: when the sound starts, counted from the start of the video.
        transcript: words of the row that exists, where they are kept.
        moments: None where there are none, or none are needed.
    """

    task: Task
    facts: MediaFacts
    frames: Frames | None
    windows: tuple[SpeechWindow, ...] = ()
    silence: SpeechStatus | None = None
    sound_start_seconds: float = 0.0
    transcript: Transcript | None = None
    moments: Moments | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds while it waits."""
        pictures = sum(part.pixels.nbytes for part in (self.frames, self.moments) if part)
        return pictures + sum(window.samples.nbytes for window in self.windows)


@dataclass(frozen=True, eq=False)
class VisualHalf:
    """The visual half of an embedding.

    Args:
        vector: float32 `[d]`, unit length: the mean of the encoded frames, normalised.
        frame_vectors: float32 `[n, d]`, each of unit length.
        frames: the frames that were encoded.
    """

    vector: np.ndarray
    frame_vectors: np.ndarray
    frames: Frames

    def __repr__(self) -> str:
        return (
            f"VisualHalf({_describe(self.vector)}, frame_vectors={_describe(self.frame_vectors)})"
        )


@dataclass(frozen=True, eq=False)
class EncodedMoments:
    """Encoded frames of a long video.

    Args:
        times: float64 `[m]`, as in `Moments`.
        vectors: float32 `[m, d]`, each of unit length.
    """

    times: np.ndarray
    vectors: np.ndarray

    def __repr__(self) -> str:
        return f"EncodedMoments({_describe(self.vectors)})"


@dataclass(frozen=True, eq=False)
class SpeechHalf:
    """The speech half of an embedding.

    Args:
        vector: float32 `[d]`, unit length, or zeros where there is no text.
        window_vectors: float32 `[w, d]`, each of unit length.
        windows: the `w` stretches of transcript that were encoded, in the words that were said,
            with their times.
        translation: the English that was encoded in place of the transcript; None where the
            transcript itself was.
    """

    vector: np.ndarray
    window_vectors: np.ndarray
    windows: tuple[Segment, ...]
    translation: tuple[Segment, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.window_vectors) != len(self.windows):
            raise ValueError(f"{len(self.windows)} windows, {len(self.window_vectors)} vectors")

    def __repr__(self) -> str:
        return f"SpeechHalf({_describe(self.vector)}, windows={len(self.windows)})"


@dataclass(frozen=True, eq=False)
class EmbeddedVideo:
    """An embedded video, on its way to the writer.

    Args:
        task: what was to be made.
        facts: duration and size.
        visual: None where it was not needed.
        transcript: None where it was not needed.
        speech: None where it was not needed.
        moments: None where there are none, or none were needed.
    """

    task: Task
    facts: MediaFacts
    visual: VisualHalf | None
    transcript: Transcript | None
    speech: SpeechHalf | None
    moments: EncodedMoments | None = None

    @property
    def file(self) -> VideoFile:
        return self.task.file

    @property
    def content_hash(self) -> str:
        return self.task.content_hash


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype}{list(array.shape)}"
