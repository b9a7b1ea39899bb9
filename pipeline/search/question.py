"""What a person asks, and what the answer is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from store.retrieval.hits import Hit


@dataclass(frozen=True)
class Question:
    """What to find. Several parts are combined: a video ranks high that fits any of them.

    Args:
        text: what is shown or said, in any words.
        image: picture file; videos that show what it does.
        video: video file; videos like it. It may be in the store or not.
        words: words that are all said; those in quotes next to each other.
        places: where to look, `picture`, `speech` or `both`; None looks in pictures for an image
            and in both for all else. `words` are always spoken ones.
        nearest: also find what matches less well, and what says only some of the words.
    """

    text: str | None = None
    image: Path | None = None
    video: Path | None = None
    words: str | None = None
    places: str | None = None
    nearest: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        return all(part is None for part in (self.text, self.image, self.video, self.words))

    @property
    def is_example(self) -> bool:
        """Whether a video or a picture is all it has; that always has nearest neighbours."""
        return self.text is None and self.words is None

    @property
    def needs_model(self) -> bool:
        """Whether it cannot be answered without a model."""
        return self.text is not None or self.image is not None

    @property
    def in_picture(self) -> bool:
        """Whether to look in pictures."""
        return self.places != "speech"

    @property
    def in_speech(self) -> bool:
        """Whether to look in what is said."""
        return self.places != "picture"


class RemarkKind(StrEnum):
    """What there is to know about an answer."""

    EMPTY_STORE = "empty_store"
    ALL_OFFLINE = "all_offline"
    ONLY_VIDEO = "only_video"
    NO_SUCH_LABEL = "no_such_label"
    NO_SUCH_LANGUAGE = "no_such_language"
    NOBODY_SPEAKS = "nobody_speaks"
    NOTHING_MATCHES = "nothing_matches"
    ONLY_NEAREST = "only_nearest"
    OTHER_RECIPE = "other_recipe"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True)
class Remark:
    """What a person has to know beside the hits.

    Args:
        kind: which remark it is, for programs.
        text: whole sentence for people.
    """

    kind: RemarkKind
    text: str


@dataclass(frozen=True)
class Answer:
    """What a question found.

    Args:
        hits: best first; empty where nothing matches well and the question does not ask for the
            nearest.
        remark: None where the hits speak for themselves.
    """

    hits: tuple[Hit, ...] = ()
    remark: Remark | None = None
