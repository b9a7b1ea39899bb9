"""How strongly picture and speech speak for each candidate of a search.

Scores of the two halves are of different size, so that they are compared in one of two ways: by how
far each is above what is usual in the collection, or, where too few videos tell that, by rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.retrieval.calibration import Gumbel, percent
from store.retrieval.candidates import Half
from store.retrieval.hits import RRF_K

SAME_COSINE = 1 - 3e-4
"""Lowest cosine of equal vectors: half precision, which some are kept in, rounds by 2.4e-4."""


@dataclass(frozen=True, eq=False)
class HalfScores:
    """Scores of the candidates by one half.

    Args:
        half: what was compared.
        vector: float32 `[d]`, what it was compared with.
        scores: float32 `[n]`, dot products; -inf where a candidate has nothing of that half.
        usual: the distribution of the best score for an unrelated question; None where too few
            videos tell.
    """

    half: Half
    vector: np.ndarray
    scores: np.ndarray
    usual: Gumbel | None

    @property
    def is_same(self) -> np.ndarray:
        """bool `[n]`: whether a candidate has the very vector, but for rounding."""
        same: np.ndarray = self.scores >= SAME_COSINE * np.linalg.norm(self.vector)
        return same


class Calibrated:
    """Strength by distance above the usual best score, which also gives a match.

    Args:
        halves: one or two, at least one of them with a distribution.

    Attributes:
        strengths: float `[halves, n]`.
    """

    def __init__(self, halves: Sequence[HalfScores]) -> None:
        looks = sum(half.usual is not None for half in halves)
        strengths = [
            np.full(len(half.scores), -np.inf)
            if half.usual is None
            else half.usual.strength(half.scores.astype(np.float64))
            for half in halves
        ]
        # Who looks twice gives chance two goes.
        self.strengths: np.ndarray = np.stack(strengths) - np.log(looks)

    @property
    def scores(self) -> np.ndarray:
        """float `[n]`: what ranks the candidates."""
        best: np.ndarray = self.strengths.max(axis=0)
        return best

    def match(self, strength: float) -> float | None:
        """Turn a strength into a match in percent."""
        return percent(strength)


class Ranked:
    """Strength by rank among the candidates; it gives no match.

    Args:
        halves: one or two.

    Attributes:
        strengths: float `[halves, n]`: -1 for the best, equals alike, -inf for those without one.
    """

    def __init__(self, halves: Sequence[HalfScores]) -> None:
        self.strengths: np.ndarray = -np.stack([_ranks(half.scores) for half in halves])

    @property
    def scores(self) -> np.ndarray:
        """float `[n]`: reciprocal rank fusion (see RRF_K), 1 for the best in every half."""
        fused: np.ndarray = (1 / (RRF_K - self.strengths)).mean(axis=0) * (RRF_K + 1)
        return fused

    def match(self, _: float) -> float | None:
        """Give none: a rank does not say how well something matches."""
        return None


def strength_of(halves: Sequence[HalfScores]) -> Calibrated | Ranked:
    """Compare halves by what is usual in the collection where that is known, else by rank."""
    return Calibrated(halves) if any(half.usual for half in halves) else Ranked(halves)


def _ranks(scores: np.ndarray) -> np.ndarray:
    ranks = 1.0 + np.searchsorted(np.sort(-scores), -scores)
    return np.where(np.isfinite(scores), ranks, np.inf)
