"""Which folder a video's neighbours speak for, and how far that is to be trusted.

A neighbour's voice weighs `exp(similarity / spread)`, where the spread is that of the similarities
between videos of different folders in this very collection. The evidence for a folder is the log
of its weight against the next best folder, or against what a video gets from folders that it does
not belong to, if that is more. Whether it is enough is learned by leaving videos out: Platt,
"Probabilistic outputs for support vector machines", 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.neighbours import Apart, Neighbours, nearest

NEIGHBOURS = 10
LEAST_SPREAD = 0.02
STRANGERS = 0.25
"""One video in five is taken to belong in none of the folders."""

SAMPLE = 5_000
"""Videos left out to learn from; more would only take time."""

_SLOPE = 1.0  # of L2 regularisation, in scikit-learn's C: little is known where few are labeled


@dataclass(frozen=True, eq=False)
class Labeled:
    """Labeled videos, each clip once in each folder.

    Args:
        vectors: float32 `[n, w]`, centred.
        labels: int64 `[n]`, indices into `names`.
        groups: int64 `[n]`: videos of one number are the same clip.
        rows: int64 `[n]`: where they are in the collection.
        names: of the folders.
    """

    vectors: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    rows: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, which: np.ndarray) -> Labeled:
        """Those of a mask, under the same names."""
        vectors, labels = self.vectors[which], self.labels[which]
        return Labeled(vectors, labels, self.groups[which], self.rows[which], self.names)


@dataclass(frozen=True, eq=False)
class Votes:
    """What the neighbours of each query say.

    Args:
        shares: float64 `[q, folders]`: of the neighbours' weight; sums to 1, or 0 without any.
        winner: int64 `[q]`: the folder with most of it.
        evidence: float64 `[q]`, for the winner; minus infinity without neighbours.
        neighbours: indices into the labeled videos.
    """

    shares: np.ndarray
    winner: np.ndarray
    evidence: np.ndarray
    neighbours: Neighbours


def labeled_of(vectors: np.ndarray, labels: Sequence[str | None], groups: np.ndarray) -> Labeled:
    """The labeled ones of a collection; of the copies of a clip in one folder the first."""
    names = tuple(sorted({label for label in labels if label is not None}))
    index = {name: number for number, name in enumerate(names)}
    numbers = np.array([-1 if label is None else index[label] for label in labels], np.int64)
    there = np.flatnonzero(numbers >= 0)
    pairs = np.stack([groups[there], numbers[there]], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    rows = there[np.sort(first)]
    return Labeled(vectors[rows], numbers[rows], groups[rows], rows, names)


class Voter:
    """Args:
    labeled: at least one video.
    """

    def __init__(self, labeled: Labeled) -> None:
        self.labeled = labeled
        self._spread = _spread(labeled)
        self._strange = -np.inf
        if len(labeled.names) > 1:
            # What a video gets from the best of the folders that are not its own, mostly.
            sums = self._sums(self._left_out(strangers=True)[0])
            self._strange = float(np.median(sums.max(axis=1)))

    def vote(self, queries: np.ndarray, apart: Sequence[Apart] = ()) -> Votes:
        """Ask the neighbours of each query, float32 `[q, w]`, centred."""
        return self._count(nearest(queries, self.labeled.vectors, NEIGHBOURS, apart))

    def leave_one_out(self, *, strangers: bool = False) -> tuple[Votes, np.ndarray]:
        """The votes on labeled videos, as if they (and their copies) were not labeled; and which
        of these they are. With `strangers` as if their whole folder was not there."""
        neighbours, which = self._left_out(strangers=strangers)
        return self._count(neighbours), which

    def _left_out(self, *, strangers: bool) -> tuple[Neighbours, np.ndarray]:
        labeled = self.labeled
        which = np.arange(len(labeled))
        if len(which) > SAMPLE:
            which = np.sort(np.random.default_rng(42).choice(which, SAMPLE, replace=False))
        apart = [(labeled.groups[which], labeled.groups)]
        if strangers:
            apart.append((labeled.labels[which], labeled.labels))
        return nearest(labeled.vectors[which], labeled.vectors, NEIGHBOURS, apart), which

    def _count(self, neighbours: Neighbours) -> Votes:
        return _votes(self._sums(neighbours), self._strange, neighbours)

    def _sums(self, neighbours: Neighbours) -> np.ndarray:
        """float64 `[q, folders]`: the logarithm of the weight for each folder."""
        weights = neighbours.scores.astype(np.float64) / self._spread
        sums = np.full((len(weights), len(self.labeled.names)), -np.inf)
        folders = self.labeled.labels[neighbours.indices]
        for k in range(weights.shape[1]):
            at = (np.arange(len(weights)), folders[:, k])
            sums[at] = np.logaddexp(sums[at], weights[:, k])
        return sums


class Confidence:
    """How probable it is that a vote is right, from the evidence for it.

    Args:
        evidence: float64 `[n]` of votes of which the truth is known.
        right: bool `[n]`, that truth.
        weight: float64 `[n]`.
    """

    def __init__(self, evidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> None:
        known = np.isfinite(evidence)
        self._line = _platt(evidence[known], right[known], weight[known])

    def __call__(self, evidence: np.ndarray) -> np.ndarray:
        """float64 `[q]`, 0 to 1; 0 where there is no evidence."""
        slope, offset = self._line
        known = np.isfinite(evidence)
        sure = 1 / (1 + np.exp(-np.clip(slope * np.where(known, evidence, 0) + offset, -50, 50)))
        return np.where(known, sure, 0.0)


def calibrated(voter: Voter) -> Confidence:
    """Learned from the labeled videos, each left out once by itself and once with its folder."""
    votes, which = voter.leave_one_out()
    right = votes.winner == voter.labeled.labels[which]
    strange, _ = voter.leave_one_out(strangers=True)
    return Confidence(
        np.concatenate([votes.evidence, strange.evidence]),
        np.concatenate([right, np.zeros(len(strange.winner), bool)]),
        np.repeat([1.0, STRANGERS], [len(right), len(strange.winner)]),
    )


def _votes(sums: np.ndarray, strange: float, neighbours: Neighbours) -> Votes:
    best = sums.max(axis=1, initial=-np.inf)
    any_ = np.isfinite(best)
    winner = np.where(any_, sums.argmax(axis=1), -1)
    rest = sums.copy()
    rest[np.arange(len(sums)), winner] = -np.inf
    against = np.maximum(rest.max(axis=1, initial=-np.inf), strange)
    # Where nothing speaks against it, nothing is known: there is one folder only.
    evidence = np.where(any_ & np.isfinite(against), best - np.where(any_, against, 0), -np.inf)
    shares = np.exp(sums - np.where(any_, best, 0)[:, None])
    total = shares.sum(axis=1, keepdims=True)
    shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    return Votes(shares, winner, evidence, neighbours)


def _spread(labeled: Labeled) -> float:
    """The standard deviation of the similarities between videos of different folders."""
    n = len(labeled)
    rng = np.random.default_rng(42)
    one, other = rng.integers(n, size=(2, 20_000))
    differ = labeled.labels[one] != labeled.labels[other]
    one, other = one[differ], other[differ]
    if not len(one):
        return 1.0
    vectors = labeled.vectors
    norms = np.maximum(np.einsum("pw,pw->p", vectors[one], vectors[one]), 1e-6)
    found = np.einsum("pw,pw->p", vectors[one], vectors[other]) / norms
    return max(float(found.std()), LEAST_SPREAD)


def _platt(evidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic line. The targets are Platt's, a little short of 0 and 1,
    so that a few videos alone are never certainty."""
    from sklearn.linear_model import LogisticRegression

    if not len(evidence):
        return 0.0, -50.0
    good, bad = weight[right].sum(), weight[~right].sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    model = LogisticRegression(C=_SLOPE)
    model.fit(
        np.concatenate([evidence, evidence])[:, None],
        np.repeat([True, False], len(evidence)),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope > 0:
        return slope, offset
    # More evidence is never less: without a trend only the share of right votes is known.
    share = (weight * target).sum() / weight.sum()
    return 0.0, float(np.log(share / (1 - share)))
