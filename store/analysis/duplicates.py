"""The same clip twice: equal bytes, or another encoding of it.

Another encoding has nearly the same vectors and nearly the same picture in the middle. How near
the vectors of different videos come depends on the model and the collection, so that is measured:
the median distance of random pairs of this very store. Vectors alone would not do: they are alike
for two videos of the same things in other places, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from store.analysis.neighbours import nearest_within
from store.analysis.vectors import Vectors
from store.pictures import read_jpeg

PICTURE_SHARE = 0.08
"""Of the distance (1 - cosine) between unrelated videos. With CLIP ViT-B/32 that is about 0.4, and
another encoding of a video moves the mean of its frames by 0.01 to 0.03."""

EQUAL_SHARE = 0.002
"""So near are vectors that need no picture beside them."""

SPEECH_SHARE = 0.5
"""The same for the words: another encoding of a video is heard with other words now and then."""

SAME_PICTURE = 0.95
"""The correlation of two small pictures; another encoding or size has 0.98 and more."""

SMALL_PIXELS = 32
FLAT = 2.0  # the standard deviation, of 255, of a picture that shows nothing

FEW_CONTENTS = 5
USUAL_DISTANCE = 0.3  # between unrelated videos, where there are too few to measure it
PAIRS = 20_000
NEIGHBOURS = 10  # looked at of each video; larger groups hang together in a chain


@dataclass(frozen=True)
class UsualDistance:
    """The median distance (1 - cosine) between two videos of the collection, by half."""

    picture: float
    speech: float


class _Pair(NamedTuple):
    one: int
    other: int
    is_equal: bool  # as far as the vectors tell


def duplicate_groups(vectors: Vectors) -> np.ndarray:
    """int64 `[n]`: a number for each row; rows of one number are the same clip, or nearly.

    Raises:
        StoreError: the store cannot be read.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(vectors):
        return np.empty(0, np.int64)
    _, first, content = np.unique(vectors.hashes, return_index=True, return_inverse=True)
    pairs = _near(vectors.visual[first], vectors.speech[first])
    doubtful = first[np.unique([pair[:2] for pair in pairs if not pair.is_equal]).astype(np.int64)]
    seen = _small_pictures(vectors.thumbnails(doubtful.tolist()))
    same = [
        (pair.one, pair.other)
        for pair in pairs
        if pair.is_equal or _look_alike(seen.get(first[pair.one]), seen.get(first[pair.other]))
    ]
    one, other = np.array(same, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(first), len(first)))
    _, groups = connected_components(graph, directed=False)
    return np.asarray(groups[content], np.int64)


def background(visual: np.ndarray, speech: np.ndarray) -> UsualDistance:
    """Of the vectors `[n, d]` of different contents."""
    return UsualDistance(_median_distance(visual), _median_distance(speech[speech.any(axis=1)]))


def _near(visual: np.ndarray, speech: np.ndarray) -> list[_Pair]:
    """The pairs of different contents whose vectors are nearly the same. Where one of the two is
    silent, its picture decides: a copy without its sound."""
    usual = background(visual, speech)
    reach = PICTURE_SHARE * usual.picture
    found = nearest_within(visual, NEIGHBOURS + 1, reach)
    one = np.repeat(np.arange(len(visual)), found.indices.shape[1])
    other, distance = found.indices.ravel(), 1 - found.scores.ravel()
    close = (one != other) & (distance <= reach)
    one, other, distance = one[close], other[close], distance[close]
    spoken = np.asarray(speech.any(axis=1))
    heard = spoken[one] & spoken[other]
    words = 1 - np.einsum("pd,pd->p", speech[one], speech[other])
    same = ~heard | (words <= SPEECH_SHARE * usual.speech)
    equal = distance <= EQUAL_SHARE * usual.picture
    return [_Pair(int(one[i]), int(other[i]), bool(equal[i])) for i in np.flatnonzero(same)]


def _small_pictures(thumbnails: Mapping[int, bytes]) -> dict[int, np.ndarray]:
    """float32 `[3 * SMALL_PIXELS ** 2]` of each picture that can be read."""
    small = {}
    for row, jpeg in thumbnails.items():
        if picture := read_jpeg(jpeg):
            resized = picture.resize((SMALL_PIXELS, SMALL_PIXELS))
            small[row] = np.asarray(resized, np.float32).ravel()
    return small


def _look_alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return False
    if min(one.std(), other.std()) < FLAT:
        return bool(abs(one - other).mean() < FLAT)
    return bool(np.corrcoef(one, other)[0, 1] >= SAME_PICTURE)


def _median_distance(vectors: np.ndarray) -> float:
    n = len(vectors)
    if n < FEW_CONTENTS:
        return USUAL_DISTANCE
    rng = np.random.default_rng(42)
    one = rng.integers(n, size=PAIRS)
    other = (one + rng.integers(1, n, size=PAIRS)) % n
    return float(np.median(1 - np.einsum("pd,pd->p", vectors[one], vectors[other])))
