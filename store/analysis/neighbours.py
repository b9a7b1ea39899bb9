"""The nearest rows of each row: exact, in blocks, so that no n x n matrix is ever in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from store.arrays import unit_length

BLOCK_NUMBERS = 1 << 26
"""Most similarities in memory at a time: 256 MB of float32."""

SCREEN_WIDTH = 64
SCREEN_SAMPLE = 10_000
SCREEN_SLACK = 1e-4  # float32 is exact to less

MOST_SCREENED = 64
"""Most points a query that pass the screen; with more, it saves nothing."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest points of each query, best first.

    Args:
        indices: int64 `[q, k]`; -1 where there are fewer.
        scores: float32 `[q, k]`; -inf there.
    """

    indices: np.ndarray
    scores: np.ndarray


Apart = tuple[np.ndarray, np.ndarray]
"""A key of each query and of each point: where they are equal, the point is no neighbour."""


def centred(embeddings: np.ndarray) -> np.ndarray:
    """Subtract from each half the mean of its kind, and scale it to unit length again.

    CLIP's vectors lie in a narrow cone, in which everything is like everything; without the common
    direction, unrelated videos have a similarity of about zero. A half of zeros stays zeros: no
    words are as far from all words as unrelated ones.

    Args:
        embeddings: float32 `[n, 2d]`.

    Returns:
        float32 `[n, 2d]`.
    """
    d = embeddings.shape[1] // 2
    moved = np.zeros_like(embeddings)
    for half in (slice(None, d), slice(d, None)):
        there = embeddings[:, half].any(axis=1)
        if there.any():
            vectors = embeddings[there, half] - embeddings[there, half].mean(axis=0)
            moved[there, half] = unit_length(vectors)
    return moved


def nearest(
    queries: np.ndarray, points: np.ndarray, k: int, apart: Sequence[Apart] = ()
) -> Neighbours:
    """Find the `k` points of the largest `similarities` to each query, equals by index.

    Args:
        queries: float32 `[q, w]`.
        points: float32 `[n, w]`.
        k: how many to find of each query.
        apart: pairs that are no neighbours.
    """
    k = min(k, len(points))
    indices = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for block in blocks(len(queries), len(points)) if k else ():
        found = similarities(queries[block], points)
        for of_query, of_point in apart:
            found[of_query[block, None] == of_point[None, :]] = -np.inf
        indices[block], scores[block] = _best(found, k)
    indices[np.isneginf(scores)] = -1
    return Neighbours(indices, scores)


def nearest_within(vectors: np.ndarray, k: int, reach: float) -> Neighbours:
    """Find the `k` nearest vectors of each vector, itself included, within a distance.

    The result is exact, and for a small `reach` much faster than `nearest`: most pairs are too far
    apart in a few directions already, and no pair is farther apart in some directions than in all.

    Args:
        vectors: float32 `[n, w]`, of unit length.
        k: how many to find of each vector.
        reach: largest distance (1 - cosine).
    """
    k = min(k, len(vectors))
    indices = np.full((len(vectors), k), -1, np.int64)
    scores = np.full((len(vectors), k), -np.inf, np.float32)
    short = _main_directions(vectors)
    lengths = np.einsum("nw,nw->n", short, short)
    for block in blocks(len(vectors), len(vectors)):
        closeness = 2 * (short[block] @ short.T) - lengths
        one, other = np.nonzero(closeness >= lengths[block, None] - 2 * reach - SCREEN_SLACK)
        queries = vectors[block]
        if len(one) > MOST_SCREENED * len(queries):
            indices[block], scores[block] = _best(queries @ vectors.T, k)
            continue
        found = np.einsum("pw,pw->p", queries[one], vectors[other])
        best_first = np.lexsort((other, -found, one))
        rank = np.arange(len(one)) - np.searchsorted(one, one)  # `one` ascends, also in that order
        is_kept = rank < k
        row, place, pair = one[is_kept], rank[is_kept], best_first[is_kept]
        indices[block][row, place] = other[pair]
        scores[block][row, place] = found[pair]
    far = scores < 1 - reach
    indices[far], scores[far] = -1, -np.inf
    return Neighbours(indices, scores)


def similarities(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Compute dot products over the squared length of the query: 1 for itself, 0 for zeros.

    Args:
        queries: float32 `[q, w]`.
        points: float32 `[n, w]`.

    Returns:
        float32 `[q, n]`.
    """
    norms = np.einsum("qw,qw->q", queries, queries)
    scaled = queries / np.maximum(norms, np.finfo(np.float32).tiny)[:, None]
    found: np.ndarray = scaled @ points.T
    return found


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slice the rows of a `[rows, columns]` matrix into blocks of `BLOCK_NUMBERS` at most."""
    step = max(BLOCK_NUMBERS // max(columns, 1), 1)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _best(found: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    some = np.argpartition(-found, k - 1, axis=1)[:, :k]
    some.sort(axis=1)
    scores = np.take_along_axis(found, some, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _main_directions(vectors: np.ndarray) -> np.ndarray:
    """Project vectors onto the directions in which they differ most: `[n, SCREEN_WIDTH]`."""
    sample = vectors[:: max(len(vectors) // SCREEN_SAMPLE, 1)]
    _, directions = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(vectors @ directions[:, -SCREEN_WIDTH:])
