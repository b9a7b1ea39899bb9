"""How well a video matches, measured against what the collection has for unrelated questions.

A cosine means nothing by itself: those of unrelated pictures may lie around 0.2 in one collection
and around 0.8 in another, and the best of 100,000 unrelated videos is more alike than the best of
10. So the match of a score is the share of unrelated questions, in percent, to which the best
answer of the whole collection would have a lower score. The best of many independent scores follows
a Gumbel distribution (Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001,
chapter 3). Its two parameters are estimated in one of two ways:

- from the best answers to vectors that are known to be unrelated (`from_questions`), or
- from the pairs of videos in the collection, of which most are unrelated (`from_pairs`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from store.retrieval.candidates import VECTORS, Half, pieces_of
from store.retrieval.moments import MultiVectors
from store.table.arrow import matrix
from store.table.keyed import KeyedTable
from store.table.snapshot import Snapshot

FEWEST_ROWS = 10
"""Fewer videos do not tell what is usual among them."""

SAMPLE_ROWS = 500
"""Most rows that are read; quantiles of that many are known to about 2%."""

GOOD_MATCH = 95.0
"""Lowest match, in percent, that is a good one: 1 of 20 unrelated questions gets as good a hit."""

T = TypeVar("T")

_NORMAL = NormalDist()
_LOW, _MIDDLE = 0.1, 0.4  # quantiles of pairs: below them hardly any pair is related
_GROWTH = 1.1  # factor of growth after which a large table is sampled again
_SMALLEST_SPREAD = 1e-6


@dataclass(frozen=True)
class Gumbel:
    """The distribution of the best score that an unrelated question gets.

    Args:
        location: its mode.
        scale: its width, above zero.
    """

    location: float
    scale: float

    def strength(self, scores: np.ndarray) -> np.ndarray:
        """Measure how far scores are above the usual best one, in widths.

        Strengths rank as scores do, and compare with the strengths of scores of other kinds.

        Args:
            scores: float, of any shape.
        """
        return (scores - self.location) / self.scale

    def of_more(self, times: float) -> Gumbel:
        """Give the distribution of the best of `times` as many scores."""
        return Gumbel(self.location + self.scale * math.log(times), self.scale)


def percent(strength: float) -> float:
    """Turn a strength into the share of unrelated questions whose best answer is weaker.

    Returns:
        0 to 100.
    """
    return 100 * math.exp(-math.exp(-max(strength, -700.0)))


def from_questions(best: np.ndarray) -> Gumbel:
    """Fit a distribution to the best scores that unrelated questions got.

    Args:
        best: float `[m]`. A few that are related after all do no harm.
    """
    low, middle, high = np.quantile(best, [0.25, 0.5, 0.75])
    spread = math.log(math.log(4) / math.log(4 / 3))  # between the quartiles, of width 1
    scale = max(float(high - low) / spread, _SMALLEST_SPREAD)
    return Gumbel(float(middle) + scale * math.log(math.log(2)), scale)


def from_pairs(of_pairs: np.ndarray, own: np.ndarray, count: float) -> Gumbel:
    """Derive a distribution from the scores of pairs of videos.

    Args:
        of_pairs: `unrelated` of the scores of pairs.
        own: float `[n]`, scores of the question itself, which weigh more the more there are.
        count: how many videos the best is the best of.
    """
    of_own = unrelated(own)
    weight = len(own) / (len(own) + 2 * FEWEST_ROWS)
    centre, spread = weight * of_own + (1 - weight) * of_pairs
    usual = _NORMAL.inv_cdf(1 - 1 / (count + 1))
    far = _NORMAL.inv_cdf(1 - 1 / (math.e * (count + 1)))
    return Gumbel(centre + spread * usual, spread * (far - usual))


def unrelated(scores: np.ndarray) -> np.ndarray:
    """Estimate centre and standard deviation of the unrelated among some scores.

    The lower scores tell them, since those of related videos are above.

    Args:
        scores: float `[n]`.

    Returns:
        float64 `[2]`.
    """
    low, middle = np.quantile(scores, [_LOW, _MIDDLE])
    z_low, z_middle = _NORMAL.inv_cdf(_LOW), _NORMAL.inv_cdf(_MIDDLE)
    spread = max(float(middle - low) / (z_middle - z_low), _SMALLEST_SPREAD)
    return np.array([float(middle) - z_middle * spread, spread])


@dataclass(frozen=True, eq=False)
class SampledHalf:
    """One half of the sampled rows that have it.

    Args:
        halves: float32 `[n, d]`.
        pieces: vectors of the frames, or of the stretches of speech, of the same rows.
        count: how many such rows the store has, about.
    """

    halves: np.ndarray
    pieces: MultiVectors
    count: float
    _measured: dict[bytes, Any] = field(default_factory=dict, repr=False)

    def for_half(self, half: np.ndarray) -> Gumbel | None:
        """Estimate what is usual for a half, float32 `[d]`, against the halves of other rows."""
        if len(self.halves) < FEWEST_ROWS:
            return None
        return from_pairs(self._of_pairs, self.halves @ half, self.count)

    def for_picture(self, picture: np.ndarray, others: np.ndarray) -> Gumbel | None:
        """Estimate what is usual for a picture against the best piece of each row.

        Args:
            picture: float32 `[d]`.
            others: float32 `[m, d]`, pictures of the collection.
        """
        if len(self.halves) < FEWEST_ROWS:
            return None
        own = self.pieces.best(picture)
        return from_pairs(self._once(others, unrelated), own, self.count)

    def for_questions(self, questions: np.ndarray) -> Gumbel | None:
        """Estimate what is usual for vectors like these, float32 `[m, d]`, against each row."""
        if not len(self.halves):
            return None
        usual = self._once(questions, lambda scores: from_questions(scores.max(axis=1)))
        return usual.of_more(max(self.count / len(self.halves), 1.0))

    def _once(self, vectors: np.ndarray, measure: Callable[[np.ndarray], T]) -> T:
        """Measure something about the scores of vectors, `[m, d]`, and keep it for the next query.

        Queries bring the same vectors one after another. After so large a product the threads of
        BLAS stay busy for a while, which cost a search more than all of its own work.
        """
        key = vectors.tobytes()
        if key not in self._measured:
            self._measured.clear()
            self._measured[key] = measure(self.pieces.best_for_each(vectors))
        found: T = self._measured[key]
        return found

    @cached_property
    def _of_pairs(self) -> np.ndarray:
        upper = np.triu_indices(len(self.halves), k=1)
        return unrelated((self.halves @ self.halves.T)[upper])


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of one recipe, all or some of them.

    Args:
        picture: the picture halves of those that have one.
        speech: the speech halves of those that have one.
    """

    picture: SampledHalf
    speech: SampledHalf

    @cached_property
    def pictures(self) -> np.ndarray:
        """float32 `[n, d]`: a frame of each row, the middle one of a video without moments."""
        counts = self.picture.pieces.counts
        middles = np.cumsum(counts) - counts + counts // 2
        frames: np.ndarray = self.picture.pieces.vectors[middles[counts > 0]]
        return frames

    @property
    def is_enough(self) -> bool:
        """Whether there are enough videos to judge by."""
        return len(self.picture.halves) >= FEWEST_ROWS


_samples: WeakKeyDictionary[KeyedTable, dict[tuple[object, ...], Sample]] = WeakKeyDictionary()


def sample(snapshot: Snapshot, visual_recipe: str | None, speech_recipe: str | None) -> Sample:
    """Sample rows of a recipe, once until the table changes, or a large one grows by a tenth.

    Args:
        snapshot: the table.
        visual_recipe: recipe of the picture halves; None for any.
        speech_recipe: recipe of the speech halves; None for any.
    """
    rows = snapshot.rows
    state = snapshot.version if rows <= SAMPLE_ROWS else -int(math.log(rows, _GROWTH))
    key = (state, visual_recipe, speech_recipe)
    kept = _samples.setdefault(snapshot.videos, {})
    if key not in kept:
        kept.clear()
        kept[key] = _sample(snapshot, visual_recipe, speech_recipe)
    return kept[key]


def _sample(snapshot: Snapshot, visual_recipe: str | None, speech_recipe: str | None) -> Sample:
    found, d = _take(snapshot), snapshot.dimension
    keep = [
        not offline and visual_recipe in (None, visual) and speech_recipe in (None, speech)
        for offline, visual, speech in zip(
            *(found.column(c).to_pylist() for c in ("offline", "visual_recipe", "speech_recipe")),
            strict=True,
        )
    ]
    share = snapshot.rows / max(len(found), 1)
    found = found.filter(pa.array(keep, pa.bool_()))
    return Sample(
        _sampled_half(found, "picture", slice(0, d), share),
        _sampled_half(_spoken(found, d), "speech", slice(d, 2 * d), share),
    )


def _take(snapshot: Snapshot) -> pa.Table:
    columns = ["embedding", "offline", "visual_recipe", "speech_recipe"]
    vectors = (name for names in VECTORS.values() for name in names)
    columns += [name for name in vectors if name in snapshot.columns]
    with snapshot.videos.reading():
        if snapshot.rows <= SAMPLE_ROWS:
            return snapshot.table.search().select(columns).limit(None).to_arrow()
        places = np.linspace(0, snapshot.rows - 1, SAMPLE_ROWS).astype(int).tolist()
        return snapshot.table.take_offsets(places).select(columns).to_arrow()


def _spoken(rows: pa.Table, d: int) -> pa.Table:
    has = matrix(rows.column("embedding"), 2 * d)[:, d:].any(axis=1)
    return rows.filter(pa.array(has))


def _sampled_half(rows: pa.Table, half: Half, columns: slice, share: float) -> SampledHalf:
    d = columns.stop - columns.start
    halves = matrix(rows.column("embedding"), 2 * d)[:, columns]
    return SampledHalf(halves, pieces_of(rows, half, d), len(rows) * share)
