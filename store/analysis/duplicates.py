"""Duplicates: clips of equal bytes, or other encodings of one clip.

Another encoding has nearly the same vectors and nearly the same picture in the middle. How near
the vectors of different videos come depends on the model and the collection, so it is measured: the
median distance of random pairs of the store. Vectors alone do not tell duplicates, since they are
also alike for two videos of the same things in other places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from store.analysis.neighbours import Neighbours, nearest, nearest_within
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


Thumbnails = Callable[[Sequence[int]], Mapping[int, bytes]]
"""Reads the JPEGs of contents, given by their numbers."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of contents that are one clip.

    Args:
        pairs: int64 `[p, 2]`, the numbers of both.
        exact: whether none was missed.
    """

    pairs: np.ndarray
    exact: bool = True


def duplicate_groups(vectors: Vectors) -> np.ndarray:
    """Number the rows so that duplicates have one number.

    Args:
        vectors: rows of a store, `n` of them.

    Returns:
        int64 `[n]`.

    Raises:
        StoreError: the store cannot be read.
    """
    _, first, content = np.unique(vectors.hashes, return_index=True, return_inverse=True)
    embeddings = vectors.embeddings[first]

    def thumbnails(contents: Sequence[int]) -> Mapping[int, bytes]:
        found = vectors.thumbnails(first[list(contents)].tolist())
        return {number: found[first[number]] for number in contents if first[number] in found}

    found = duplicate_pairs(embeddings, usual_distance(embeddings), thumbnails)
    return connected(found.pairs, len(first))[content]


def connected(pairs: np.ndarray, contents: int) -> np.ndarray:
    """Number contents so that those that hang together by `pairs` have one number: int64 `[n]`.

    Pairs are few. SciPy's `connected_components` takes half a second to import, half of all that
    an answer takes that was given before.
    """
    first = list(range(contents))  # each leads to the lowest of those that hang together

    def lowest(each: int) -> int:
        while first[each] != each:
            first[each] = first[first[each]]
            each = first[each]
        return each

    for one, other in pairs.tolist():
        low, high = sorted((lowest(one), lowest(other)))
        first[high] = low
    together = np.arange(contents)
    some = np.unique(pairs)
    together[some] = [lowest(each) for each in some.tolist()]
    return np.asarray(np.unique(together, return_inverse=True)[1], np.int64)


def duplicate_pairs(embeddings: np.ndarray, usual: UsualDistance, thumbnails: Thumbnails) -> Pairs:
    """Find the pairs of different contents that are one clip.

    Args:
        embeddings: float32 `[n, 2d]` of the contents.
        usual: distance between contents.
        thumbnails: reads pictures.

    Raises:
        StoreError: the store cannot be read.
    """
    visual = np.ascontiguousarray(embeddings[:, : embeddings.shape[1] // 2])
    found = nearest_within(visual, NEIGHBOURS + 1, PICTURE_SHARE * usual.picture)
    pairs = _confirmed(embeddings, embeddings, found, 0, usual, thumbnails)
    return Pairs(pairs, found.exact)


def duplicates_of(
    new: np.ndarray, known: np.ndarray, usual: UsualDistance, thumbnails: Thumbnails
) -> np.ndarray:
    """Find the pairs of a new and a known content that are one clip.

    Args:
        new: float32 `[q, 2d]` embeddings; the new contents are numbered after the known ones.
        known: float32 `[n, 2d]` embeddings.
        usual: distance between contents.
        thumbnails: reads pictures.

    Returns:
        int64 `[p, 2]`.
    """
    d = known.shape[1] // 2
    found = nearest(new[:, :d], known[:, :d], NEIGHBOURS, PICTURE_SHARE * usual.picture)
    return _confirmed(new, known, found, len(known), usual, thumbnails)


def usual_distance(embeddings: np.ndarray) -> UsualDistance:
    """Measure the usual distance between different contents, of embeddings `[n, 2d]`."""
    d = embeddings.shape[1] // 2
    speech = embeddings[:, d:]
    return UsualDistance(
        _median_distance(embeddings[:, :d], np.arange(len(embeddings))),
        _median_distance(speech, np.flatnonzero(speech.any(axis=1))),
    )


def _confirmed(
    queries: np.ndarray,
    points: np.ndarray,
    found: Neighbours,
    first: int,
    usual: UsualDistance,
    thumbnails: Thumbnails,
) -> np.ndarray:
    """Return those of the neighbours that are the same clip as their query, int64 `[p, 2]`.

    Where one of the two is silent, the pictures decide: it may be a copy without its sound.

    Args:
        queries: embeddings `[q, 2d]`.
        points: embeddings `[n, 2d]`.
        found: points whose picture half is near that of each query.
        first: number of the first query.
        usual: distance between contents.
        thumbnails: reads pictures.
    """
    d = points.shape[1] // 2
    one, place = np.nonzero(found.indices >= 0)
    other, distance = found.indices[one, place], 1 - found.scores[one, place]
    is_other = one + first != other
    one, other, distance = one[is_other], other[is_other], distance[is_other]
    said, heard = queries[one, d:], points[other, d:]
    both_speak = said.any(axis=1) & heard.any(axis=1)
    says_else = both_speak & (1 - np.vecdot(said, heard) > SPEECH_SHARE * usual.speech)
    one, other, distance = one[~says_else] + first, other[~says_else], distance[~says_else]
    needs_picture = distance > EQUAL_SHARE * usual.picture
    doubtful = np.unique([one[needs_picture], other[needs_picture]])
    seen = _small_pictures(thumbnails(doubtful.tolist()))
    same = [
        pair
        for *pair, needs in zip(one.tolist(), other.tolist(), needs_picture.tolist(), strict=True)
        if not needs or _look_alike(seen.get(pair[0]), seen.get(pair[1]))
    ]
    return np.array(same, np.int64).reshape(-1, 2)


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


def _median_distance(vectors: np.ndarray, rows: np.ndarray) -> float:
    n = len(rows)
    if n < FEW_CONTENTS:
        return USUAL_DISTANCE
    rng = np.random.default_rng(42)
    one = rng.integers(n, size=PAIRS)
    other = (one + rng.integers(1, n, size=PAIRS)) % n
    return float(np.median(1 - np.vecdot(vectors[rows[one]], vectors[rows[other]])))
