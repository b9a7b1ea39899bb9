"""Speech of a video: the stretches of sound that may have words, and the words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from store.schema import Segment

SAMPLE_RATE_HZ = 16_000
ENGLISH = "en"


class SpeechStatus(StrEnum):
    """Why the speech half of an embedding is a vector, or zeros."""

    SPEECH = "speech"
    NO_AUDIO = "no_audio"  # the file has no audio stream that decodes
    NO_SPEECH = "no_speech"  # there is sound, but nobody speaks
    NO_TEXT = "no_text"  # somebody may speak, but no words were made out


@dataclass(frozen=True)
class Transcript:
    """The words of a video.

    Args:
        status: why there are words, or none.
        segments: the words with their times; empty unless the status is `speech`.
        language: ISO 639-1 code, None where there is no speech.
        language_probability: 0 to 1, or None.
        translation: the words in English, with their times; None where none was asked for, or the
            words are English, or none was made out.
    """

    status: SpeechStatus
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    language_probability: float | None = None
    translation: tuple[Segment, ...] | None = None

    def __post_init__(self) -> None:
        if bool(self.segments) != (self.status is SpeechStatus.SPEECH):
            raise ValueError(f"{len(self.segments)} segments with status {self.status}")

    @property
    def text(self) -> str:
        """The whole transcript on one line."""
        return " ".join(segment.text.strip() for segment in self.segments).strip()

    @property
    def lacks_translation(self) -> bool:
        """Whether it has words in another language than English, and no translation."""
        return bool(self.segments) and self.language != ENGLISH and self.translation is None


@dataclass(frozen=True)
class Span:
    """A stretch of speech in a window. All numbers are samples at 16 kHz.

    Args:
        window_start: where it starts in the window.
        video_start: where it starts in the video's sound.
        length: of the stretch.
    """

    window_start: int
    video_start: int
    length: int


@dataclass(frozen=True, eq=False)
class SpeechWindow:
    """Speech of a video for one pass of the speech model: at most 28 s, unless windows were joined.

    Args:
        samples: int16 `[n]`, mono, 16 kHz: the spans, one after the other.
        spans: where each stretch came from.
    """

    samples: np.ndarray
    spans: tuple[Span, ...]

    def __post_init__(self) -> None:
        if self.samples.dtype != np.int16 or self.samples.ndim != 1:
            raise ValueError(
                f"samples must be int16 [n], not {self.samples.dtype}{list(self.samples.shape)}"
            )

    def __repr__(self) -> str:
        return f"SpeechWindow({len(self.samples) / SAMPLE_RATE_HZ:.1f} s, {len(self.spans)} spans)"
