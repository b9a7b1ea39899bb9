"""The same clip twice: equal bytes, or vectors far nearer than those of unrelated videos.

How far apart unrelated videos are depends on the model and the collection, so it is measured: the
median over random pairs of this very store.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store.neighbours import nearest
from store.vectors import Vectors

PICTURE_SHARE = 0.08
"""Of the distance (1 - cosine) between unrelated videos. With CLIP ViT-B/32 that is about 0.4, and
another encoding of a video moves the mean of its frames by 0.01 to 0.03."""

SPEECH_SHARE = 0.5
"""The same for the words: another encoding of a video is heard with other words now and then."""

FEW_CONTENTS = 5
USUAL_DISTANCE = 0.3  # between unrelated videos, where there are too few to measure it
PAIRS = 20_000
NEIGHBOURS = 10  # looked at of each video; larger groups hang together in a chain


@dataclass(frozen=True)
class Background:
    """The median distance (1 - cosine) between two videos of the collection, by half."""

    picture: float
    speech: float


def duplicate_groups(vectors: Vectors) -> np.ndarray:
    """int64 `[n]`: a number for each row; rows of one number are the same clip, or nearly."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(vectors):
        return np.empty(0, np.int64)
    _, first, content = np.unique(vectors.hashes, return_index=True, return_inverse=True)
    one, other = _alike(vectors.visual[first], vectors.speech[first])
    n = len(first)
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    _, groups = connected_components(graph, directed=False)
    return np.asarray(groups[content], np.int64)


def background(visual: np.ndarray, speech: np.ndarray) -> Background:
    """Of the vectors `[n, d]` of different contents."""
    return Background(_median_distance(visual), _median_distance(speech[speech.any(axis=1)]))


def _alike(visual: np.ndarray, speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of different contents that are nearly the same. Where one of the two is silent,
    its picture decides: a copy without its sound."""
    usual = background(visual, speech)
    found = nearest(visual, visual, NEIGHBOURS + 1)
    one = np.repeat(np.arange(len(visual)), found.indices.shape[1])
    other = found.indices.ravel()
    close = (one != other) & (1 - found.scores.ravel() <= PICTURE_SHARE * usual.picture)
    one, other = one[close], other[close]
    spoken = np.asarray(speech.any(axis=1))
    heard = spoken[one] & spoken[other]
    words = 1 - np.einsum("pd,pd->p", speech[one], speech[other])
    same = ~heard | (words <= SPEECH_SHARE * usual.speech)
    return one[same], other[same]


def _median_distance(vectors: np.ndarray) -> float:
    n = len(vectors)
    if n < FEW_CONTENTS:
        return USUAL_DISTANCE
    rng = np.random.default_rng(42)
    one = rng.integers(n, size=PAIRS)
    other = (one + rng.integers(1, n, size=PAIRS)) % n
    return float(np.median(1 - np.einsum("pd,pd->p", vectors[one], vectors[other])))
