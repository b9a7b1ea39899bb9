"""Classify videos by folder from the labeled ones, and measure how far to trust the answers.

The classifier is linear discriminant analysis: variation within folders (where a thing is, how
light it is) counts little, variation between folders counts much. On the 512-d halves of a few
dozen videos that is right far more often than nearest neighbours are. The covariance is shrunk
towards a multiple of the identity, because there are fewer videos than dimensions (Friedman,
"Regularized discriminant analysis", 1989). Cross-validation and Platt scaling turn the margin of an
answer into a probability (Platt, "Probabilistic outputs for support vector machines", 1999).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SHRINKAGE = 0.5
NOVEL_SHARE = 0.1
"""One video in ten is assumed to belong in none of the folders."""

FOLDS = 50
"""Cross-validation leaves out one clip at a time up to this many clips, and a fold beyond."""

_INVERSE_REGULARISATION = 10.0  # scikit-learn's C of Platt's line: few labels say little
_SEED = 42


@dataclass(frozen=True, eq=False)
class LabeledClips:
    """The labeled videos of a collection, each clip once in each folder.

    Args:
        vectors: float64 `[n, r]` features.
        labels: int64 `[n]` indices into `names`.
        groups: int64 `[n]`; videos of one number are copies of one clip.
        rows: int64 `[n]` positions in the collection.
        names: folder names.
    """

    vectors: np.ndarray
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

    def select(self, mask: np.ndarray) -> LabeledClips:
        """Return the clips of a mask, bool `[n]`."""
        parts = (self.vectors[mask], self.labels[mask], self.groups[mask], self.rows[mask])
        return LabeledClips(*parts, self.names)


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


class ShrunkLda:
    """Linear discriminant analysis with equal priors and a shrunk covariance.

    scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5)` gives the same winners
    and takes 3 to 12 times as long, which cross-validation would pay once a fold.

    Args:
        vectors: float64 `[n, r]` of labeled videos, at least one.
        labels: int64 `[n]` folder indices.
        folders: number of folders.
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

    def predict(self, queries: np.ndarray) -> Predictions:
        """Classify queries, float64 `[q, r]`."""
        scores = np.full((len(queries), self._folders), -np.inf)
        scores[:, self._present] = queries @ self._weights + self._offsets
        return Predictions.of(scores)


def leave_one_out(clips: LabeledClips, usable: np.ndarray | None = None) -> Predictions:
    """Predict each clip by a classifier that has seen neither the clip nor its copies.

    Args:
        clips: labeled clips.
        usable: bool `[n]` clips to learn from; None for all.
    """
    return _cross_validate(clips, clips.groups, usable)


def leave_one_folder_out(clips: LabeledClips) -> Predictions:
    """Predict each clip by a classifier that has not seen its folder: every answer is wrong."""
    return _cross_validate(clips, clips.labels, None)


def _cross_validate(
    clips: LabeledClips, keys: np.ndarray, usable: np.ndarray | None
) -> Predictions:
    scores = np.full((len(clips), len(clips.names)), -np.inf)
    for held_out in _folds(keys):
        rest = ~held_out if usable is None else usable & ~held_out
        if rest.any():
            lda = ShrunkLda(clips.vectors[rest], clips.labels[rest], len(clips.names))
            scores[held_out] = lda.predict(clips.vectors[held_out]).scores
    return Predictions.of(scores)


def _folds(keys: np.ndarray) -> Iterator[np.ndarray]:
    """Yield at most FOLDS masks that hold each row once; rows of equal keys share a fold."""
    unique, which = np.unique(keys, return_inverse=True)
    fold = np.random.default_rng(_SEED).permutation(len(unique)) % FOLDS
    for number in np.unique(fold):
        yield fold[which] == number


class PlattScaling:
    """Turn the margin of a prediction into the probability that it is right.

    Args:
        margin: float64 `[n]` margins of predictions whose truth is known.
        right: bool `[n]` that truth.
        weight: float64 `[n]` weight of each prediction.
    """

    def __init__(self, margin: np.ndarray, right: np.ndarray, weight: np.ndarray) -> None:
        known = np.isfinite(margin)
        self._scale = float(margin[known].mean()) or 1.0 if known.any() else 1.0
        self._line = _fit_line(margin[known] / self._scale, right[known], weight[known])

    def __call__(self, margin: np.ndarray) -> np.ndarray:
        """Return float64 `[q]` probabilities; 0 where there is no margin."""
        slope, offset = self._line
        known = np.isfinite(margin)
        scaled = np.where(known, margin, 0) / self._scale
        probability = 1 / (1 + np.exp(-np.clip(slope * scaled + offset, -50, 50)))
        return np.where(known, probability, 0.0)


def calibrate(clips: LabeledClips, predictions: Predictions) -> PlattScaling:
    """Fit Platt scaling to labeled clips, predicted without themselves and without their folder.

    Args:
        clips: labeled clips.
        predictions: their leave-one-out predictions.
    """
    novel = leave_one_folder_out(clips)
    n = len(clips)
    return PlattScaling(
        np.concatenate([predictions.margin, novel.margin]),
        np.concatenate([predictions.winner == clips.labels, np.zeros(n, bool)]),
        np.repeat([1.0, NOVEL_SHARE], [n, n]),
    )


def _fit_line(margin: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return slope and offset of the logistic line.

    The targets are Platt's, a little short of 0 and 1, so that a few videos are never certainty.
    """
    from sklearn.linear_model import LogisticRegression

    if not len(margin):
        return 0.0, -50.0
    good, bad = weight[right].sum(), weight[~right].sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    model = LogisticRegression(C=_INVERSE_REGULARISATION)
    model.fit(
        np.concatenate([margin, margin])[:, None],
        np.repeat([True, False], len(margin)),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope > 0:
        return slope, offset
    # A larger margin is never less reliable: without a trend, the share of right answers counts.
    share = (weight * target).sum() / weight.sum()
    return 0.0, float(np.log(share / (1 - share)))
