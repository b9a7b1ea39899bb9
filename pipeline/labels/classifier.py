"""Classify videos by folder from the labeled ones.

The classifier is linear discriminant analysis: variation within folders (where a thing is, how
light it is) counts little, variation between folders counts much. On the 512-d halves of a few
dozen videos that is right far more often than nearest neighbours are. The covariance is shrunk
towards a multiple of the identity, because there are fewer videos than dimensions (Friedman,
"Regularized discriminant analysis", 1989). `cross_validation` predicts the labeled ones by the
others, and `confidence` tells how far to trust the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

SHRINKAGE = 0.5

_BLOCK_ROWS = 4_096  # in double precision at a time
_NO_VARIATION = 1e-9  # share of the squares that rounding leaves of none


@dataclass(frozen=True, eq=False)
class Clips:
    """The labeled videos of a collection, each clip once in each folder.

    Args:
        labels: int64 `[n]` indices into `names`.
        groups: int64 `[n]`; videos of one number are copies of one clip.
        rows: int64 `[n]` positions in the collection.
        names: folder names.
    """

    labels: np.ndarray
    groups: np.ndarray
    rows: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> np.ndarray:
        """int64 `[folders]`: clips in each folder."""
        return np.bincount(self.labels, minlength=len(self.names))

    @property
    def ambiguous(self) -> np.ndarray:
        """bool `[n]`: clips that are in several folders, so that their label is unknown."""
        _, group, places = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.asarray(places[group] > 1)

    def select(self, chosen: np.ndarray) -> Clips:
        """Return the clips of a mask, bool `[n]`, or of places."""
        return Clips(self.labels[chosen], self.groups[chosen], self.rows[chosen], self.names)


@dataclass(frozen=True, eq=False)
class LabeledClips(Clips):
    """Clips to learn from.

    Args:
        vectors: float32 or float64 `[n, r]` features.
    """

    vectors: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier says of each query.

    Args:
        scores: float64 `[q, folders]` log-likelihoods up to one constant a query; minus infinity
            for a folder that the classifier has not seen.
        winner: int64 `[q]` index of the likeliest folder; -1 where no folder is known.
        margin: float64 `[q]` lead of the winner over the second; minus infinity without a second.
    """

    scores: np.ndarray
    winner: np.ndarray
    margin: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> Predictions:
        """Derive winner and margin from scores, `[q, folders]`."""
        padded = np.pad(scores, ((0, 0), (2, 0)), constant_values=-np.inf)
        second, first = np.sort(padded, axis=1)[:, -2:].T
        margin = np.full(len(scores), -np.inf)
        np.subtract(first, second, out=margin, where=np.isfinite(second))
        return cls(scores, np.where(np.isfinite(first), padded.argmax(axis=1) - 2, -1), margin)


@dataclass(frozen=True, eq=False)
class Moments:
    """What the discriminant needs to know of clips; clips come and go by addition.

    Vectors that are centred, as those of `Features` are, lose no digits by subtraction: variation
    within folders is then no small part of their outer products.

    Args:
        counts: int64 `[folders]` clips in each folder.
        sums: float64 `[folders, r]` sum of their vectors.
        outer: float64 `[r, r]` sum of the outer products of all vectors with themselves.
    """

    counts: np.ndarray
    sums: np.ndarray
    outer: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, labels: np.ndarray, folders: int) -> Moments:
        """Add clips up.

        Args:
            vectors: float `[n, r]`.
            labels: int64 `[n]` folder indices.
            folders: number of folders.
        """
        made = cls.none(folders, vectors.shape[1])
        made.add(vectors, labels)
        return made

    @classmethod
    def none(cls, folders: int, width: int) -> Moments:
        """Make the moments of no clips."""
        counts, sums = np.zeros(folders, np.int64), np.zeros((folders, width))
        return cls(counts, sums, np.zeros((width, width)))

    def add(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        """Add clips to these moments themselves.

        Args:
            vectors: float `[n, r]`.
            labels: int64 `[n]` folder indices.
        """
        for start in range(0, len(vectors), _BLOCK_ROWS):
            block = vectors[start : start + _BLOCK_ROWS].astype(np.float64, copy=False)
            self.add_sums(block, labels[start : start + _BLOCK_ROWS])
            np.add(self.outer, block.T @ block, out=self.outer)

    def add_sums(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        """Add clips, but for their outer products."""
        order = np.argsort(labels, kind="stable")
        present, begin, counts = np.unique(labels[order], return_index=True, return_counts=True)
        self.counts[present] += counts
        self.sums[present] += np.add.reduceat(vectors[order], begin)

    def among(self, places: Sequence[int], folders: int) -> Moments:
        """Number the folders otherwise: each gets the number at its place in `places`."""
        counts, sums = np.zeros(folders, np.int64), np.zeros((folders, self.sums.shape[1]))
        counts[list(places)], sums[list(places)] = self.counts, self.sums
        return Moments(counts, sums, self.outer)

    def __add__(self, other: Moments) -> Moments:
        counts, sums = self.counts + other.counts, self.sums + other.sums
        return Moments(counts, sums, self.outer + other.outer)

    def __sub__(self, other: Moments) -> Moments:
        counts, sums = self.counts - other.counts, self.sums - other.sums
        return Moments(counts, sums, self.outer - other.outer)


class ShrunkLda:
    """Linear discriminant analysis with equal priors and a shrunk covariance.

    scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5)` gives the same winners
    from vectors; from moments, a model for each part of a cross-validation costs no second pass
    over the others.

    Args:
        moments: of labeled clips, at least one.
        lacking: float64 `[l, r]` vectors whose outer products the moments lack; then these are
            computed in, since new memory for them takes a fifth of the time.
    """

    def __init__(self, moments: Moments, lacking: np.ndarray | None = None) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self._folders = len(moments.counts)
        self._present = np.flatnonzero(moments.counts)
        counts, sums = moments.counts[self._present], moments.sums[self._present]
        means = sums / counts[:, None]
        between = sums / np.sqrt(counts)[:, None]
        if lacking is None:
            shrunk, total = moments.outer - between.T @ between, np.trace(moments.outer)
        else:
            shrunk, total = moments.outer, np.trace(moments.outer) + np.vdot(lacking, lacking)
            shrunk += np.vstack([lacking, -between]).T @ np.vstack([lacking, between])
        within = np.trace(shrunk)
        if within > _NO_VARIATION * total:
            shrunk *= (1 - SHRINKAGE) / max(counts.sum() - len(counts), 1)
            level = np.trace(shrunk) / len(shrunk) / (1 - SHRINKAGE)
        else:  # one video a folder: every direction counts alike
            shrunk, level = np.zeros_like(shrunk), 1.0
        shrunk[np.diag_indices_from(shrunk)] += SHRINKAGE * level
        # NumPy's lets other threads go on meanwhile, but takes three times as long: it does not
        # factor in place. LAPACK reads columns: of a symmetric matrix the rows are as good.
        factor = cho_factor(shrunk.T, overwrite_a=True, check_finite=False)
        self._weights = cho_solve(factor, means.T, check_finite=False)
        self._offsets = -(means.T * self._weights).sum(axis=0) / 2

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {"weights": self._weights, "offsets": self._offsets, "present": self._present}

    @staticmethod
    def none() -> dict[str, np.ndarray]:
        """Return the arrays of no classifier."""
        return {"weights": np.empty((0, 0)), "offsets": np.empty(0), "present": np.empty(0, int)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], folders: int) -> Self:
        """Read what `to_arrays` gave.

        Args:
            arrays: to read.
            folders: number of folders.
        """
        made = cls.__new__(cls)
        made._folders, made._present = folders, arrays["present"]
        made._weights, made._offsets = arrays["weights"], arrays["offsets"]
        return made

    def predict(self, queries: np.ndarray) -> Predictions:
        """Classify queries, float `[q, r]`."""
        return Predictions.of(self.scores(queries))

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Return the scores of queries, float `[q, r]`: float64 `[q, folders]`."""
        scores = np.full((len(queries), self._folders), -np.inf)
        for start in range(0, len(queries), _BLOCK_ROWS):
            block = queries[start : start + _BLOCK_ROWS].astype(np.float64, copy=False)
            scores[start : start + _BLOCK_ROWS, self._present] = (
                block @ self._weights + self._offsets
            )
        return scores
