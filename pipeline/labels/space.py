"""How embeddings are turned into what the classifier takes: centred, without unused directions."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from store.analysis.duplicates import UsualDistance, usual_distance
from store.analysis.neighbours import centred, means_of

SPACE_ARRAYS = ("means", "directions", "usual")
_RANK_SAMPLE = 2  # times as many vectors as numbers in each tell whether any direction is unused


@dataclass(frozen=True, eq=False)
class Space:
    """How embeddings are turned into features.

    Args:
        means: float32 `[2d]`, subtracted from each half.
        directions: float64 `[2d, r]`, those in which anything varies; `r` of zero means that all
            are, and vectors stay as they are.
        usual: distance between different contents.
    """

    means: np.ndarray
    directions: np.ndarray
    usual: UsualDistance

    @classmethod
    def of(cls, embeddings: np.ndarray) -> Self:
        """Learn the space of contents, float32 `[n, 2d]`."""
        means = means_of(embeddings)
        return cls(means, _directions(embeddings, means), usual_distance(embeddings))

    @property
    def identity(self) -> int:
        """A number that changes with the space."""
        return zlib.crc32(self.means.tobytes() + self.directions.tobytes())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return SPACE_ARRAYS, to keep."""
        usual = np.array([self.usual.picture, self.usual.speech])
        return {"means": self.means, "directions": self.directions, "usual": usual}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        usual = UsualDistance(*arrays["usual"].tolist())
        return cls(arrays["means"], arrays["directions"], usual)

    def centred(self, embeddings: np.ndarray) -> np.ndarray:
        """Return float32 `[n, 2d]`, each half less the mean of its kind."""
        return centred(embeddings, self.means)

    def reduce(self, moved: np.ndarray) -> np.ndarray:
        """Return float `[n, r]`, centred vectors without unused directions."""
        return moved @ self.directions if self.directions.shape[1] else moved

    def reduced(self, embeddings: np.ndarray) -> np.ndarray:
        """Return float `[n, r]`, what the classifier takes for embeddings, float32 `[n, 2d]`."""
        return self.reduce(self.centred(embeddings))


def _directions(embeddings: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Find the directions in which centred vectors vary, `[2d, r]`; `r` is 0 where all are.

    Fewer videos than dimensions leave at most as many directions as videos, and save that time.
    """
    n, width = embeddings.shape
    step = max(n // max(_RANK_SAMPLE * width, 1), 1)
    while True:
        exact = centred(embeddings[::step], means).astype(np.float64)
        products = exact.T @ exact
        size = np.linalg.eigvalsh(products)
        used = size > 1e-8 * max(size.max(initial=0), 1e-12)
        if used.all():
            return np.empty((width, 0))
        if step == 1:
            kept = np.linalg.eigh(products).eigenvectors[:, used]
            return kept if kept.shape[1] else np.zeros((width, 1))
        step = 1
