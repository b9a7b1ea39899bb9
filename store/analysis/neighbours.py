"""The nearest rows of each row, in blocks, so that no n x n matrix is ever in memory.

All of it is exact but for `nearest_within` among many vectors, which says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from store.arrays import to_unit_length
from store.threads import on_all_cores

BLOCK_NUMBERS = 1 << 26
"""Most similarities in memory at a time: 256 MB of float32."""

BLOCK_ROWS = 256  # of vectors that are moved at a time, in a processor's cache

FEW = 1_000
"""Vectors up to which all are compared without a screen, which takes 0.1 s to make."""

SCREEN_WIDTH = 64
SCREEN_SAMPLE = 10_000
SCREEN_SLACK = 1e-4  # float32 is exact to less

MOST_SCREENED = 64
"""Most points a query that pass the screen; with more, it saves nothing."""

TILE = (1_024, 2_048)
"""Queries and points that are compared at a time: few enough to stay in a processor's cache."""

MOST_COMPARED = 50_000
"""Most vectors of which `nearest_within` compares every pair: 2 s of a core for 20,000, and four
times as long for twice as many. Among more only vectors in cells near each other are compared."""

GROUP = 16
"""Columns of which the largest is looked at first: a tenth of the time for 10 of 10,000."""

CELL_SIZE = 400
CELLS_SEARCHED = 4
"""Cells that each vector is compared in, its own and the next: among 60,000 vectors that found all
of 500 planted pairs at a distance of 0.01, as other encodings are, and 0.996 and 0.998 at 0.03 and
0.04, in 2.6 s of a core. Annoy takes 13.5 s for 0.956, 0.936 and 0.902 and 41.5 s for as much as
this; the index of the store answers one vector at a time."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest points of each query, best first.

    Args:
        indices: int64 `[q, k]`; -1 where there are fewer.
        scores: float32 `[q, k]`; -inf there.
        exact: whether no nearer point was missed.
    """

    indices: np.ndarray
    scores: np.ndarray
    exact: bool = True


def means_of(embeddings: np.ndarray) -> np.ndarray:
    """Average each half over the embeddings that have it: float32 `[2d]` of `[n, 2d]`."""
    d = embeddings.shape[1] // 2
    means = np.zeros(2 * d, np.float32)
    for half in (slice(None, d), slice(d, None)):
        there = np.asarray(embeddings[:, half].any(axis=1))
        if there.any():
            means[half] = embeddings[:, half].mean(axis=0, where=there[:, None], dtype=np.float64)
    return means


def centred(embeddings: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Subtract from each half the mean of its kind, and scale it to unit length again.

    CLIP's vectors lie in a narrow cone, in which everything is like everything; without the common
    direction, unrelated videos have a similarity of about zero. A half of zeros stays zeros: no
    words are as far from all words as unrelated ones.

    Args:
        embeddings: float32 `[n, 2d]`.
        means: float32 `[2d]`, as `means_of` gives them.

    Returns:
        float32 `[n, 2d]`.
    """
    d = embeddings.shape[1] // 2
    moved = np.empty_like(embeddings)
    for start in range(0, len(embeddings), BLOCK_ROWS):
        for half in (slice(None, d), slice(d, None)):
            block = embeddings[start : start + BLOCK_ROWS, half]
            at = moved[start : start + BLOCK_ROWS, half]
            np.subtract(block, means[half], out=at)
            at *= block.any(axis=1, keepdims=True)
            to_unit_length(at)
    return moved


def nearest(queries: np.ndarray, points: np.ndarray, k: int, reach: float = np.inf) -> Neighbours:
    """Find the `k` points of the largest `similarities` to each query, equals by index.

    Args:
        queries: float32 `[q, w]`.
        points: float32 `[n, w]`.
        k: how many to find of each query.
        reach: largest distance, 1 less the similarity.
    """
    k = min(k, len(points))
    indices = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for block in blocks(len(queries), len(points)) if k else ():
        found = similarities(queries[block], points)
        indices[block], scores[block] = _best(found, k)
    far = scores < 1 - reach
    indices[far], scores[far] = -1, -np.inf
    return Neighbours(indices, scores)


def nearest_within(vectors: np.ndarray, k: int, reach: float) -> Neighbours:
    """Find the `k` nearest vectors of each vector, itself included, within a distance.

    For a small `reach` that is much faster than `nearest`: most pairs are too far apart in a few
    directions already, and no pair is farther apart in some directions than in all. Among more than
    `MOST_COMPARED` vectors some pairs may be missed, the more the farther apart they are.

    Args:
        vectors: float32 `[n, w]`, of unit length.
        k: how many to find of each vector.
        reach: largest distance (1 - cosine).
    """
    n, exact = len(vectors), len(vectors) <= MOST_COMPARED
    if n <= FEW:
        return nearest(vectors, vectors, k, reach)
    k = min(k, n)
    indices = np.full((n, k), -1, np.int64)
    scores = np.full((n, k), -np.inf, np.float32)
    screen = _Screen.of(vectors, k, reach)
    tiles = _all_pairs(n) if exact else _in_cells(screen.short)
    found = on_all_cores(lambda tile: screen.pairs(*tile), tiles)
    one, other, score = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((other, -score, one))
    one, other, score = one[order], other[order], score[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    kept = rank < k
    indices[one[kept], rank[kept]] = other[kept]
    scores[one[kept], rank[kept]] = score[kept]
    return Neighbours(indices, scores, exact)


@dataclass(frozen=True, eq=False)
class _Screen:
    """Finds pairs of vectors within reach by a few directions first.

    Args:
        vectors: float32 `[n, w]`, of unit length.
        short: float32 `[n, s]`, the same in the directions in which they differ most.
        k: most pairs a query, where many points are near.
        reach: largest distance.
    """

    vectors: np.ndarray
    short: np.ndarray
    k: int
    reach: float

    @classmethod
    def of(cls, vectors: np.ndarray, k: int, reach: float) -> _Screen:
        return cls(vectors, _main_directions(vectors), k, reach)

    def pairs(
        self, queries: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return queries, points and scores of pairs within reach.

        Args:
            queries: int64 `[q]` indices of vectors.
            points: int64 `[p]` indices of vectors.
        """
        passed = np.flatnonzero(
            self._margin(queries, points) >= 0
        )  # `nonzero` takes 20 times as long
        one, other = np.divmod(passed, len(points))
        if len(one) > MOST_SCREENED * len(queries):
            found = self.vectors[queries] @ self.vectors[points].T
            close, score = _best(found, min(self.k, len(points)))
            one, other = np.repeat(np.arange(len(queries)), close.shape[1]), close.ravel()
            score = score.ravel()
        else:
            left, right = self.vectors[queries[one]], self.vectors[points[other]]
            score = np.einsum("pw,pw->p", left, right)
        near = score >= 1 - self.reach
        return queries[one[near]], points[other[near]], score[near]

    def _margin(self, queries: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Twice the reach less the squared distance in a few directions, by one product."""
        asked, there = self.short[queries], self.short[points]
        room = 2 * self.reach + SCREEN_SLACK - np.einsum("qs,qs->q", asked, asked)
        lengths = np.einsum("ps,ps->p", there, there)
        left = np.column_stack([2 * asked, room, np.full_like(room, -1)])
        right = np.column_stack([there, np.ones_like(lengths), lengths])
        margin: np.ndarray = left @ right.T
        return margin


def _all_pairs(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows, columns = TILE
    for first in range(0, n, rows):
        for start in range(0, n, columns):
            yield np.arange(first, min(first + rows, n)), np.arange(start, min(start + columns, n))


def _in_cells(short: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each cell's points, and the vectors that look for theirs in it.

    A cell has the points nearest to one of some vectors, which chance chooses.
    """
    n = len(short)
    centres = short[np.random.default_rng(42).choice(n, n // CELL_SIZE, replace=False)]
    lengths = np.einsum("cs,cs->c", centres, centres)
    searched = np.empty((n, CELLS_SEARCHED), np.int64)
    for block in blocks(n, 16 * len(centres)):
        distance = lengths - 2 * (short[block] @ centres.T)
        few = np.argpartition(distance, CELLS_SEARCHED, axis=1)[:, :CELLS_SEARCHED]
        order = np.take_along_axis(distance, few, axis=1).argsort(axis=1)
        searched[block] = np.take_along_axis(few, order, axis=1)
    members = np.argsort(searched[:, 0], kind="stable")
    begins = np.searchsorted(searched[members, 0], np.arange(len(centres) + 1))
    visits = np.argsort(searched.ravel(), kind="stable")
    visited = np.searchsorted(searched.ravel()[visits], np.arange(len(centres) + 1))
    for cell in range(len(centres)):
        points = members[begins[cell] : begins[cell + 1]]
        queries = visits[visited[cell] : visited[cell + 1]] // CELLS_SEARCHED
        for start in range(0, len(queries), TILE[0]):
            yield queries[start : start + TILE[0]], points


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
    """Return the columns of the `k` largest numbers of each row, and those, largest first."""
    rows, columns = found.shape
    wide = columns // GROUP
    if wide >= 2 * k:
        # The k largest are in the k groups that have the largest maxima.
        maxima = found[:, : GROUP * wide].reshape(rows, GROUP, wide).max(axis=1)
        groups = np.argpartition(-maxima, k - 1, axis=1)[:, None, :k]
        members = (groups + wide * np.arange(GROUP)[:, None]).reshape(rows, -1)
        rest = np.broadcast_to(np.arange(GROUP * wide, columns), (rows, columns - GROUP * wide))
        some = np.concatenate([members, rest], axis=1)
    else:
        some = np.broadcast_to(np.arange(columns), (rows, columns))
    chosen = np.argpartition(-np.take_along_axis(found, some, axis=1), k - 1, axis=1)[:, :k]
    some = np.sort(np.take_along_axis(some, chosen, axis=1), axis=1)
    scores = np.take_along_axis(found, some, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _main_directions(vectors: np.ndarray) -> np.ndarray:
    """Project vectors onto the directions in which they differ most: `[n, SCREEN_WIDTH]`."""
    sample = vectors[:: max(len(vectors) // SCREEN_SAMPLE, 1)]
    sample = sample - sample.mean(axis=0)
    _, directions = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(vectors @ directions[:, -SCREEN_WIDTH:])
