"""Duplicates: clips of equal bytes, or other encodings of one clip.

Another encoding has nearly the same vectors and nearly the same picture in the middle. How near
the vectors of different videos come depends on the model and the collection, so it is measured: the
median distance of random pairs of the store. Vectors alone do not tell duplicates, since they are
also alike for two videos of the same things in other places.
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
"""Largest distance of duplicates, as a share of the usual distance. That one is about 0.4 with CLIP
ViT-B/32, and another encoding of a video moves the mean of its frames by 0.01 to 0.03."""

EQUAL_SHARE = 0.002
"""Largest distance, as such a share, of vectors that need no picture to confirm them."""

SPEECH_SHARE = 0.5
"""Largest distance of their speech halves, as such a share: Whisper hears another encoding with
other words now and then."""

SAME_PICTURE = 0.95
"""Lowest correlation of the small pictures of duplicates; another encoding or size has 0.98."""

SMALL_PIXELS = 32
FLAT = 2.0  # the standard deviation, of 255, of a picture that shows nothing

FEW_CONTENTS = 5
USUAL_DISTANCE = 0.3  # between unrelated videos, where there are too few to measure it
PAIRS = 20_000
NEIGHBOURS = 10  # looked at of each video; larger groups hang together in a chain


@dataclass(frozen=True)
class UsualDistance:
    """The median distance (1 - cosine) between two videos of the collection, by half.

    Args:
        picture: of their picture halves.
        speech: of their speech halves.
    """

    picture: float
    speech: float


class _Pair(NamedTuple):
    one: int
    other: int
    needs_picture: bool  # to confirm it


def duplicate_groups(vectors: Vectors) -> np.ndarray:
    """Number the rows so that duplicates have one number.

    Args:
        vectors: rows of a store, `n` of them.

    Returns:
        int64 `[n]`.

    Raises:
        StoreError: the store cannot be read.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(vectors):
        return np.empty(0, np.int64)
    _, first, content = np.unique(vectors.hashes, return_index=True, return_inverse=True)
    pairs = _near(vectors.visual[first], vectors.speech[first])
    doubtful = first[np.unique([pair[:2] for pair in pairs if pair.needs_picture]).astype(np.int64)]
    seen = _small_pictures(vectors.thumbnails(doubtful.tolist()))
    same = [
        (pair.one, pair.other)
        for pair in pairs
        if not pair.needs_picture
        or _look_alike(seen.get(first[pair.one]), seen.get(first[pair.other]))
    ]
    one, other = np.array(same, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(first), len(first)))
    _, groups = connected_components(graph, directed=False)
    return np.asarray(groups[content], np.int64)


def usual_distance(visual: np.ndarray, speech: np.ndarray) -> UsualDistance:
    """Measure the usual distance between the vectors, `[n, d]` each, of different contents."""
    return UsualDistance(_median_distance(visual), _median_distance(speech[speech.any(axis=1)]))


def _near(visual: np.ndarray, speech: np.ndarray) -> list[_Pair]:
    """Pair different contents whose vectors, `[n, d]` each, are nearly the same.

    Where one of the two is silent, the pictures decide: it may be a copy without its sound.
    """
    usual = usual_distance(visual, speech)
    found = nearest_within(visual, NEIGHBOURS + 1, PICTURE_SHARE * usual.picture)
    is_other = found.indices != np.arange(len(visual))[:, None]
    one, place = np.nonzero(is_other & (found.indices >= 0))
    other, distance = found.indices[one, place], 1 - found.scores[one, place]
    is_spoken = np.asarray(speech.any(axis=1))
    by_speech = 1 - np.einsum("pd,pd->p", speech[one], speech[other])
    says_else = is_spoken[one] & is_spoken[other] & (by_speech > SPEECH_SHARE * usual.speech)
    needs_picture = distance > EQUAL_SHARE * usual.picture
    pairs = zip(one.tolist(), other.tolist(), needs_picture.tolist(), strict=True)
    return [_Pair(*pair) for pair, is_none in zip(pairs, says_else, strict=True) if not is_none]


def _small_pictures(thumbnails: Mapping[int, bytes]) -> dict[int, np.ndarray]:
    """Shrink each picture that can be read to float32 `[3 * SMALL_PIXELS ** 2]`."""
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
