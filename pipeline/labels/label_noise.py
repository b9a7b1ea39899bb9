"""Estimate which labels are wrong from the scores of a classifier that has not learned from them.

The model has two unknowns: how far scores are to be trusted, and what share of the labels is wrong.
A video belongs in folder k with probability softmax(slope x scores)[k]; its label is that folder,
or with probability `share` any other one (Lawrence and Schölkopf, "Estimating a kernel Fisher
discriminant in the presence of label noise", 2001; Bootkrajang and Kabán, "Label-noise robust
logistic regression and its applications", 2012). Both unknowns are averaged over a grid, weighted
by how well they explain all labels. Scores that tell the folders of a collection apart badly get a
small slope, and then contradict no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store.threads import on_all_cores

_SLOPES = np.geomspace(0.02, 50, 40)
"""Slopes over the median margin: from scores that say nothing to a winner that is certain."""

_SHARES = np.linspace(0.005, 0.4, 20)
_PRIOR = _SHARES * (1 - _SHARES) ** 17
"""Beta(2, 18): one label in ten is wrong, an expectation that weighs as much as 20 labels."""

_LARGEST_EXPONENT = 500.0  # exp of it is finite, and so is a sum of many
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """How far the scores of a collection are to be trusted, and what share of its labels is wrong.

    Args:
        slopes: float64 `[slopes]`.
        weights: float64 `[slopes, shares]` probability of each slope and share, in sum 1.
    """

    slopes: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(cls, scores: np.ndarray, labels: np.ndarray) -> LabelNoise:
        """Weigh slopes and shares by how well they explain all labels.

        Args:
            scores: float64 `[n, folders]` log-likelihoods of held-out predictions, at least one
                row; minus infinity for folders that the classifier did not know.
            labels: int64 `[n]` given folders. Their scores are finite, and at least one other a
                row.
        """
        lead, others = _lead(scores, labels)
        second, first = np.partition(lead, -2, axis=1)[:, -2:].T
        slopes = _SLOPES / (float(np.median(first - second)) or 1.0)
        likelihoods = on_all_cores(
            lambda slope: _log_likelihoods(_odds(lead, slope), others), slopes
        )
        evidence = np.stack(likelihoods) + np.log(_PRIOR)
        weights = np.exp(evidence - evidence.max())
        return cls(slopes, weights / weights.sum())

    def wrong(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return how probable it is that each label is wrong, float64 `[n]`, 0 to 1."""
        lead, others = _lead(scores, labels)
        probability = np.zeros(len(labels))
        for slope, of_shares in zip(self.slopes, self.weights, strict=True):
            if of_shares.max() > _NEGLIGIBLE:
                odds = _odds(lead, slope)
                for share, weight in zip(_SHARES, of_shares, strict=True):
                    wrong = share * odds / others
                    probability += weight * wrong / (1 - share + wrong)
        return probability


def _lead(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lead of each folder over a clip's own, and how many others there are."""
    lead = scores - np.take_along_axis(scores, labels[:, None], axis=1)
    return lead, np.isfinite(lead).sum(axis=1) - 1


def _odds(lead: np.ndarray, slope: float) -> np.ndarray:
    """Return the odds that a clip belongs in any folder but its own, float64 `[n]`."""
    exponent = slope * lead
    np.minimum(exponent, _LARGEST_EXPONENT, out=exponent)
    odds: np.ndarray = np.exp(exponent, out=exponent).sum(axis=1) - 1
    return odds


def _log_likelihoods(odds: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of all labels for each of _SHARES, float64 `[shares]`."""
    excess = odds / others - 1
    each = np.array([np.log1p(share * excess).sum() for share in _SHARES])
    summed: np.ndarray = each - np.log1p(odds).sum()
    return summed
