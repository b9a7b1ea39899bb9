"""Which folder a video belongs in, as far as the labeled ones tell, and how far to trust that.

Linear discriminant analysis: what varies within folders (where a thing is, how light it is) counts
little, what tells folders apart counts much. On the 512-d halves of a few dozen videos that is
right far more often than the nearest neighbours are. The covariance is shrunk towards a multiple
of the identity, since there are fewer videos than dimensions (Friedman, "Regularized discriminant
analysis", 1989). How much evidence is enough is learned by leaving videos out (Platt,
"Probabilistic outputs for support vector machines", 1999).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

SHRINKAGE = 0.5
STRANGERS = 0.1
"""One video in ten is taken to belong in none of the folders."""

PARTS = 50
"""Up to so many clips, each is left out by itself; more are left out in so many parts."""

_SLOPE = 10.0  # of L2 regularisation, in scikit-learn's C: little is known where few are labeled


@dataclass(frozen=True, eq=False)
class Labeled:
    """Labeled videos, each clip once in each folder.

    Args:
        vectors: float64 `[n, w]`, of `reduced`.
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

    @property
    def doubtful(self) -> np.ndarray:
        """bool `[n]`: clips that are in two folders; where they belong is not known."""
        _, group, places = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.asarray(places[group] > 1)

    def only(self, wanted: np.ndarray) -> Labeled:
        """Those of a mask, bool `[n]`."""
        parts = (self.vectors[wanted], self.labels[wanted], self.groups[wanted], self.rows[wanted])
        return Labeled(*parts, self.names)


@dataclass(frozen=True, eq=False)
class Votes:
    """What is said of each query.

    Args:
        scores: float64 `[q, folders]`: logarithms, up to one constant a query, of how likely each
            folder is; minus infinity of one that is not known.
        winner: int64 `[q]`: the likeliest; -1 where none is known.
        evidence: float64 `[q]`: its lead over the next; minus infinity where there is no next.
    """

    scores: np.ndarray
    winner: np.ndarray
    evidence: np.ndarray


class ShrunkLda:
    """Args:
    vectors: float64 `[n, w]` of labeled videos, at least one.
    labels: int64 `[n]`.
    folders: how many there are.
    """

    def __init__(self, vectors: np.ndarray, labels: np.ndarray, folders: int) -> None:
        self._folders = folders
        self._present, which = np.unique(labels, return_inverse=True)
        means = np.stack([vectors[which == each].mean(axis=0) for each in range(which.max() + 1)])
        within = vectors - means[which]
        covariance = within.T @ within / max(len(vectors) - len(means), 1)
        level = np.trace(covariance) / len(covariance)
        if level < 1e-12:  # one video a folder: every direction counts alike
            covariance, level = np.zeros_like(covariance), 1.0
        shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
        self._weights = np.linalg.solve(shrunk, means.T)
        self._offsets = -(means.T * self._weights).sum(axis=0) / 2

    def vote(self, queries: np.ndarray) -> Votes:
        """Of queries, float64 `[q, w]`."""
        scores = np.full((len(queries), self._folders), -np.inf)
        scores[:, self._present] = queries @ self._weights + self._offsets
        return votes_of(scores)


def votes_of(scores: np.ndarray) -> Votes:
    """Winner and evidence of scores, `[q, folders]`."""
    padded = np.pad(scores, ((0, 0), (2, 0)), constant_values=-np.inf)
    second, first = np.sort(padded, axis=1)[:, -2:].T
    there = np.isfinite(first)
    winner = padded.argmax(axis=1) - 2
    lead = np.where(np.isfinite(second), first - np.where(there, second, 0), -np.inf)
    return Votes(scores, np.where(there, winner, -1), lead)


def left_out(labeled: Labeled, heard: np.ndarray | None = None) -> Votes:
    """The votes on labeled videos, each as if it (and its copies) were not labeled.

    Args:
        heard: bool `[n]`: which of them may be learned from; None for all.
    """
    heard = np.ones(len(labeled), bool) if heard is None else heard
    scores = np.full((len(labeled), len(labeled.names)), -np.inf)
    for out in _parts(labeled.groups):
        rest = heard & ~out
        if rest.any():
            judge = ShrunkLda(labeled.vectors[rest], labeled.labels[rest], len(labeled.names))
            scores[out] = judge.vote(labeled.vectors[out]).scores
    return votes_of(scores)


def strangers(labeled: Labeled) -> Votes:
    """The votes on labeled videos, as if their whole folder was not there: all are wrong."""
    scores = np.full((len(labeled), len(labeled.names)), -np.inf)
    for out in _parts(labeled.labels):
        if not out.all():
            judge = ShrunkLda(labeled.vectors[~out], labeled.labels[~out], len(labeled.names))
            scores[out] = judge.vote(labeled.vectors[out]).scores
    return votes_of(scores)


def _parts(keys: np.ndarray) -> Iterator[np.ndarray]:
    """Masks, at most PARTS, that leave each row out once; rows of equal keys together."""
    unique, which = np.unique(keys, return_inverse=True)
    part = np.random.default_rng(42).permutation(len(unique)) % PARTS
    for number in np.unique(part):
        yield part[which] == number


class Confidence:
    """How probable it is that a vote is right, from the evidence for it.

    Args:
        evidence: float64 `[n]` of votes of which the truth is known.
        right: bool `[n]`, that truth.
        weight: float64 `[n]`.
    """

    def __init__(self, evidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> None:
        known = np.isfinite(evidence)
        self._scale = float(evidence[known].mean()) or 1.0 if known.any() else 1.0
        self._line = _platt(evidence[known] / self._scale, right[known], weight[known])

    def __call__(self, evidence: np.ndarray) -> np.ndarray:
        """float64 `[q]`, 0 to 1; 0 where there is no evidence."""
        slope, offset = self._line
        known = np.isfinite(evidence)
        scaled = np.where(known, evidence, 0) / self._scale
        sure = 1 / (1 + np.exp(-np.clip(slope * scaled + offset, -50, 50)))
        return np.where(known, sure, 0.0)


def calibrated(labeled: Labeled, votes: Votes) -> Confidence:
    """Learned from the labeled videos, left out by themselves (`votes`) and with their folders."""
    unknown = strangers(labeled)
    count = len(labeled)
    return Confidence(
        np.concatenate([votes.evidence, unknown.evidence]),
        np.concatenate([votes.winner == labeled.labels, np.zeros(count, bool)]),
        np.repeat([1.0, STRANGERS], [count, count]),
    )


def reduced(vectors: np.ndarray) -> np.ndarray:
    """float64 `[n, r]`: the vectors, turned so that directions in which nothing varies go away.
    Fewer videos than dimensions leave as many of these, and with them no time is lost."""
    exact = vectors.astype(np.float64)
    size, directions = np.linalg.eigh(exact.T @ exact)
    kept: np.ndarray = exact @ directions[:, size > 1e-8 * max(size.max(initial=0), 1e-12)]
    return kept if kept.shape[1] else np.zeros((len(vectors), 1))


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
