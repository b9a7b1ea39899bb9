"""Lay a collection out in the plane.

The layout is t-SNE of the embeddings (van der Maaten and Hinton, "Visualizing data using t-SNE",
2008), interpolated (Linderman et al., "Fast interpolation-based t-SNE", 2019). Of many videos a
sample is laid out, and each of the others lies beside those of the sample that it is nearest to, as
do videos that come later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np

from store.analysis.neighbours import nearest
from store.threads import on_all_cores

PERPLEXITY = 30.0  # the usual one; a third of the videos where there are few
LEAST_FOR_TSNE = 4  # different vectors; fewer have no neighbourhoods
COMPONENTS = 50
MOST_FITTED = 10_000
"""Most videos that t-SNE lays out, in 20 s of a core; each one beyond takes 0.1 ms."""

INTERVAL = 2
"""Width of the cells that forces are interpolated in: half the time of 1, openTSNE's own, and a
divergence of 2.06 in place of 1.95 among 10,000 made-up videos."""

LEAST_INTERVALS = 20
"""Cells across the plane, of openTSNE's own 50, which are finer than that while it is small."""

EARLY_ITERATIONS = 100
"""Iterations of early exaggeration. Of the 10 nearest of each of 20,000 made-up videos 17.3% are
then among the 10 nearest in the plane, in 0.6 of the time that openTSNE's own 250 iterations and
50 cells take for 17.7%; 1,000 of them were looked at, which leaves 0.4%."""

ITERATIONS = 300
"""Iterations after those. 400 keep no more neighbours, in 1.28 times the time."""

FEW_FITTED = 3_000  # threads gain nothing
NEAREST = 10
BLOCK_ROWS = 1_024  # placed at a time
NEARNESS = 4
"""Power of the distance that weighs the nearest: between two groups, the nearer one wins."""

COPY_STEP = 0.006  # distance between copies of a video, in shares of the plot's size


@dataclass(frozen=True, eq=False)
class Plane:
    """A layout, in which further videos can be placed.

    Args:
        mean: float32 `[w]` of the vectors.
        axes: float32 `[w, c]` their principal components; `c` of zero: vectors stay as they are.
        vectors: float32 `[s, c]`, or `[s, w]`: those that were laid out.
        points: float64 `[s, 2]`, from -1 to 1.
    """

    mean: np.ndarray
    axes: np.ndarray
    vectors: np.ndarray
    points: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray) -> Self:
        """Lay out different embeddings `[n, w]`, or a sample of them."""
        mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
        chosen: np.ndarray | slice = slice(None)
        if len(embeddings) > MOST_FITTED:
            rng = np.random.default_rng(42)
            chosen = np.sort(rng.choice(len(embeddings), MOST_FITTED, replace=False))
        sample = embeddings[chosen].astype(np.float32) - mean
        axes = _principal(sample)
        short = sample @ axes if axes.shape[1] else sample
        points = _tsne(short) if len(short) >= LEAST_FOR_TSNE else _corners(len(short))
        return cls(mean, axes, short, _spread_out(points))

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """Place embeddings `[q, w]` beside those that are nearest: float64 `[q, 2]`."""
        moved = embeddings.astype(np.float32) - self.mean
        short = moved @ self.axes if self.axes.shape[1] else moved
        blocks = np.split(short, range(BLOCK_ROWS, len(short), BLOCK_ROWS))
        return np.concatenate(on_all_cores(self._beside_nearest, blocks))

    def _beside_nearest(self, short: np.ndarray) -> np.ndarray:
        """Place vectors `[q, c]`."""
        # The nearest have the largest 2 v.q - |v|^2.
        asked = np.column_stack([2 * short, np.full(len(short), -1, np.float32)])
        lengths = np.einsum("sc,sc->s", self.vectors, self.vectors)
        index = nearest(asked, np.column_stack([self.vectors, lengths]), NEAREST).indices
        distance = np.linalg.norm(self.vectors[index] - short[:, None], axis=2)
        closest = np.maximum(distance[:, :1], 1e-6)
        weights = (closest / np.maximum(distance, closest)) ** NEARNESS
        weights /= weights.sum(axis=1, keepdims=True)
        points: np.ndarray = np.einsum("qk,qkd->qd", weights, self.points[index])
        return points

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        return cls(*(arrays[name] for name in cls.__dataclass_fields__))


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Place embeddings `[n, w]` in the plane; equal ones lie side by side.

    Returns:
        float64 `[n, 2]`, -1 to 1.
    """
    return beside(lay_out(embeddings)[1]) if len(embeddings) else np.empty((0, 2))


def lay_out(embeddings: np.ndarray) -> tuple[Plane, np.ndarray]:
    """Fit a plane to embeddings `[n, w]`, and place them in it: float64 `[n, 2]`."""
    digests = [blake2b(row, digest_size=16).digest() for row in np.ascontiguousarray(embeddings)]
    _, first, which = np.unique(np.array(digests, "V16"), return_index=True, return_inverse=True)
    unique = embeddings[np.sort(first)]
    plane = Plane.fit(unique)
    points = plane.points if len(unique) <= MOST_FITTED else plane.place(unique)
    return plane, points[np.argsort(np.argsort(first))[which]]


def beside(points: np.ndarray) -> np.ndarray:
    """Keep equal points apart: a sunflower's spiral, the first of them in its middle.

    Args:
        points: float64 `[n, 2]`.

    Returns:
        float64 `[n, 2]`.
    """
    if not len(points):
        return points
    # As complex numbers, which are in the same order in a fifth of the time.
    _, which = np.unique(np.ascontiguousarray(points).view(np.complex128), return_inverse=True)
    which = which.ravel()
    order = np.argsort(which, kind="stable")
    _, starts, counts = np.unique(which[order], return_index=True, return_counts=True)
    number = np.empty(len(which))
    number[order] = np.arange(len(which)) - np.repeat(starts, counts)
    angle, radius = number * np.pi * (3 - np.sqrt(5)), COPY_STEP * np.sqrt(number)
    moved: np.ndarray = points + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return moved


def _principal(vectors: np.ndarray) -> np.ndarray:
    """Return the axes of most variance, `[w, COMPONENTS]`; none where there are few anyway."""
    if min(vectors.shape) <= COMPONENTS:
        return np.empty((vectors.shape[1], 0), np.float32)
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return np.ascontiguousarray(axes[:, : -COMPONENTS - 1 : -1])


def _tsne(vectors: np.ndarray) -> np.ndarray:
    from openTSNE import TSNE

    n = len(vectors)
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (n - 1) / 3),
        initialization="pca",
        negative_gradient_method="bh" if n <= FEW_FITTED else "fft",
        n_jobs=1 if n <= FEW_FITTED else os.cpu_count() or 1,
        random_state=42,
        ints_in_interval=INTERVAL,
        min_num_intervals=LEAST_INTERVALS,
        early_exaggeration_iter=EARLY_ITERATIONS,
        n_iter=ITERATIONS,
    )
    return np.asarray(tsne.fit(vectors), np.float64)


def _corners(n: int) -> np.ndarray:
    """Return up to three places that are equally far from each other."""
    angles = 2 * np.pi * np.arange(n) / max(n, 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * (n > 1)


def _spread_out(points: np.ndarray) -> np.ndarray:
    if not len(points):
        return points
    moved = points - (points.max(axis=0) + points.min(axis=0)) / 2
    scaled: np.ndarray = moved / max(float(abs(moved).max()), 1e-9)
    return scaled
