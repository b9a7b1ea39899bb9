"""A collection's vectors as the classifier sees them: centred, reduced, copies known as copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.labels.classifier import LabeledClips
from store.analysis.duplicates import duplicate_groups
from store.analysis.neighbours import centred, nearest
from store.analysis.vectors import Vectors

SHOWN_NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbour:
    """A labeled video that is near another one.

    Args:
        path: row path.
        label: folder.
        score: cosine after centring: 1 for equal vectors, about 0 for unrelated ones.
    """

    path: str
    label: str
    score: float


@dataclass(frozen=True, eq=False)
class Features:
    """The vectors of a collection, prepared for classification.

    Args:
        source: rows that the features describe.
        centred: float32 `[n, 2d]`, each half less the mean of its kind.
        reduced: float64 `[n, r]`, the same vectors without directions in which nothing varies.
        groups: int64 `[n]`; rows of one number are copies of one clip.
    """

    source: Vectors
    centred: np.ndarray
    reduced: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Prepare the rows of one recipe.

        Raises:
            StoreError: the store cannot be read.
        """
        moved = centred(vectors.embeddings)
        return cls(vectors, moved, _reduced(moved), duplicate_groups(vectors))

    def labeled(self) -> LabeledClips:
        """Return the labeled clips; of the copies in one folder, the first stands for all."""
        labels = self.source.labels
        names = tuple(sorted({label for label in labels if label is not None}))
        index = {name: number for number, name in enumerate(names)}
        numbers = np.array([-1 if label is None else index[label] for label in labels], np.int64)
        there = np.flatnonzero(numbers >= 0)
        pairs = np.stack([self.groups[there], numbers[there]], axis=1)
        _, first = np.unique(pairs, axis=0, return_index=True)
        rows = there[np.sort(first)]
        return LabeledClips(self.reduced[rows], numbers[rows], self.groups[rows], rows, names)

    def neighbours(self, rows: np.ndarray, others: np.ndarray) -> list[tuple[Neighbour, ...]]:
        """Return the nearest labeled `others` of each row, nearest first.

        Args:
            rows: int64 `[q]` rows to find neighbours of.
            others: int64 `[n]` labeled rows to choose from.
        """
        found = nearest(self.centred[rows], self.centred[others], SHOWN_NEIGHBOURS)
        return [
            tuple(
                self._neighbour(int(others[index]), float(score))
                for index, score in zip(indices, scores, strict=True)
            )
            for indices, scores in zip(found.indices, found.scores, strict=True)
        ]

    def _neighbour(self, row: int, score: float) -> Neighbour:
        return Neighbour(self.source.paths[row], str(self.source.labels[row]), score)


def _reduced(vectors: np.ndarray) -> np.ndarray:
    """Rotate vectors so that directions without variance can be dropped: float64 `[n, r]`.

    Fewer videos than dimensions leave at most as many directions as videos, and save that time.
    """
    exact = vectors.astype(np.float64)
    size, directions = np.linalg.eigh(exact.T @ exact)
    kept: np.ndarray = exact @ directions[:, size > 1e-8 * max(size.max(initial=0), 1e-12)]
    return kept if kept.shape[1] else np.zeros((len(vectors), 1))
