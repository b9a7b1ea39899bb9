"""How far to trust a classifier's answers: their margin as the probability that they are right.

Cross-validation tells which margins belong to right answers, and Platt scaling draws a logistic
line through them (Platt, "Probabilistic outputs for support vector machines", 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.labels.classifier import LabeledClips, Predictions
from pipeline.labels.cross_validation import leave_one_folder_out

NOVEL_SHARE = 0.1
"""One video in ten is assumed to belong in none of the folders."""

_INVERSE_REGULARISATION = 10.0  # of the slope, scikit-learn's C: few labels say little


@dataclass(frozen=True)
class PlattScaling:
    """Turns the margin of a prediction into the probability that it is right.

    Args:
        scale: margins are divided by it.
        slope: of the logistic line.
        offset: of the logistic line.
    """

    scale: float
    slope: float
    offset: float

    @classmethod
    def fit(cls, margin: np.ndarray, right: np.ndarray, weight: np.ndarray) -> Self:
        """Fit the line to predictions whose truth is known.

        Args:
            margin: float64 `[n]` margins.
            right: bool `[n]` truth.
            weight: float64 `[n]` weight of each prediction.
        """
        known = np.isfinite(margin)
        scale = float(margin[known].mean()) or 1.0 if known.any() else 1.0
        return cls(scale, *_fit_line(margin[known] / scale, right[known], weight[known]))

    def __call__(self, margin: np.ndarray) -> np.ndarray:
        """Return float64 `[q]` probabilities; 0 where there is no margin."""
        known = np.isfinite(margin)
        scaled = np.where(known, margin, 0) / self.scale
        probability = 1 / (1 + np.exp(-np.clip(self.slope * scaled + self.offset, -50, 50)))
        return np.where(known, probability, 0.0)

    def of_ranked(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability of each of a query's best folders, best first.

        The first has that of its margin, the others less by the odds between them and the first.

        Args:
            scores: float64 `[q, k]`, each row descending; minus infinity for no folder.

        Returns:
            float64 `[q, k]`, of a row at most 1 in sum.
        """
        second = scores[:, 1] if scores.shape[1] > 1 else np.full(len(scores), -np.inf)
        first = self(np.where(np.isfinite(second), scores[:, 0] - second, -np.inf))
        behind = np.where(np.isfinite(scores), scores - scores[:, :1], -np.inf) / self.scale
        odds = np.where(np.isfinite(behind), np.exp(self.slope * np.maximum(behind, -1e3)), 0.0)
        found = first[:, None] * odds
        others = np.maximum(found[:, 1:].sum(axis=1, keepdims=True), 1e-300)
        found[:, 1:] *= np.minimum(1, (1 - found[:, :1]) / others)
        return found


def calibrate(clips: LabeledClips, predictions: Predictions) -> PlattScaling:
    """Fit Platt scaling to labeled clips, predicted without themselves and without their folder.

    Args:
        clips: labeled clips.
        predictions: their leave-one-out predictions.
    """
    novel = leave_one_folder_out(clips)
    n = len(clips)
    return PlattScaling.fit(
        np.concatenate([predictions.margin, novel.margin]),
        np.concatenate([predictions.winner == clips.labels, np.zeros(n, bool)]),
        np.repeat([1.0, NOVEL_SHARE], [n, n]),
    )


def _fit_line(margin: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return slope and offset of the logistic line.

    The targets are Platt's, a little short of 0 and 1, so that a few videos are never certainty.
    """
    from scipy.optimize import minimize  # scikit-learn's would take a second to import
    from scipy.special import expit

    if not len(margin):
        return 0.0, -50.0
    good, bad = weight[right].sum(), weight[~right].sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    share = weight * (_INVERSE_REGULARISATION / weight.sum())
    ridge = 1 / weight.sum()

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        at = line[0] * margin + line[1]
        wrong = share * (expit(at) - target)
        value = share @ (np.logaddexp(0, at) - target * at) + ridge * line[0] ** 2 / 2
        return value, np.array([wrong @ margin + ridge * line[0], wrong.sum()])

    found = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9})
    slope, offset = found.x.tolist()
    if slope > 0:
        return slope, offset
    # A larger margin is never less reliable: without a trend, the share of right answers counts.
    usual = (weight * target).sum() / weight.sum()
    return 0.0, float(np.log(usual / (1 - usual)))
