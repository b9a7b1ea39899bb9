"""Queries. Several may be combined in one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.retrieval.words import Wanted
from store.schema import Row


@dataclass(frozen=True, eq=False)
class SimilarTo:
    """Videos like one, ranked by the sum of the cosines of picture and speech.

    Args:
        visual: float32 `[d]`, compared with visual halves; None or zeros leave them out.
        speech: float32 `[d]`, compared with speech halves; None or zeros leave them out. Without
            `visual`, only videos in which there is speech are found.
        visual_recipe: recipe of the rows that are compared, since vectors of others mean
            something else; None for any.
        speech_recipe: recipe of their speech halves; None for any.
        path: row that is no hit, since it is what the others are compared with; None for none.

    Raises:
        ValueError: there is nothing to compare, or a number that is not finite.
    """

    visual: np.ndarray | None = None
    speech: np.ndarray | None = None
    visual_recipe: str | None = None
    speech_recipe: str | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        given = self.vectors
        _check(given)
        if not any(half.any() for half in given):
            raise ValueError("a search needs a vector that is not zero")

    @classmethod
    def of(cls, row: Row) -> SimilarTo:
        """Ask for videos like one that is in a store, among rows of its own recipes."""
        return cls(row.visual, row.speech, row.visual_recipe, row.speech_recipe)

    @property
    def vectors(self) -> list[np.ndarray]:
        return [half for half in (self.visual, self.speech) if half is not None]


@dataclass(frozen=True, eq=False)
class Semantic:
    """Videos that show or say what a vector stands for, that of a text or of a picture.

    They are ranked by their best frame or stretch of speech, whichever stands out more in the
    collection.

    Args:
        vector: float32 `[d]`.
        picture: whether to look in pictures.
        speech: whether to look in speech.
        unrelated: float32 `[m, d]`, vectors of the same kind for things that are probably not in
            the collection, to judge matches by. Without them, pictures of the collection serve.
        visual_recipe: as in `SimilarTo`.
        speech_recipe: as in `SimilarTo`.

    Raises:
        ValueError: as in `SimilarTo`, or there is nowhere to look.
    """

    vector: np.ndarray
    picture: bool = True
    speech: bool = True
    unrelated: np.ndarray | None = None
    visual_recipe: str | None = None
    speech_recipe: str | None = None

    def __post_init__(self) -> None:
        _check([self.vector, *([] if self.unrelated is None else self.unrelated)])
        if not self.vector.any():
            raise ValueError("a search needs a vector that is not zero")
        if not (self.picture or self.speech):
            raise ValueError("look in pictures, in speech, or in both")

    @property
    def vectors(self) -> list[np.ndarray]:
        return [self.vector]


@dataclass(frozen=True)
class Words:
    """Videos whose transcripts have these words.

    Args:
        text: words, all of which must be there; those in quotes next to each other.
        some: whether to find videos with some of the words, too.

    Raises:
        ValueError: there is no word in the text.
    """

    text: str
    some: bool = False

    def __post_init__(self) -> None:
        Wanted(self.text)


Query = SimilarTo | Semantic | Words


def _check(vectors: Sequence[np.ndarray]) -> None:
    for vector in vectors:
        same = vector.ndim == 1 and vector.shape == vectors[0].shape
        if not same or not np.isfinite(vector).all():
            raise ValueError("the vectors of a search must be finite and of one size")
