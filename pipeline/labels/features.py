"""A collection's vectors as the classifier sees them: centred, reduced, copies known as copies.

Everything here is a property of contents, so that files that are moved change nothing. What was
learned of the contents is kept beside the store, with their vectors; those of a few new ones are
then placed in the space of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.classifier import Clips, LabeledClips
from pipeline.labels.space import Space
from store.analysis.duplicates import Thumbnails, connected, duplicate_pairs, duplicates_of
from store.analysis.kept import Kept
from store.analysis.vectors import (
    Rows,
    Vectors,
    read_matrix,
    read_thumbnails,
    read_vectors,
)
from store.schema import Recipe
from store.table.store import Store
from store.threads import one_blas_thread

T = TypeVar("T")

FEW = 500
"""Videos up to which all is learned again at every change, which takes less than a second."""

CHANGED_SHARE = 0.02
"""Share of a larger collection that may change before all of it is learned again."""

SUBJECT = "contents"


@dataclass(frozen=True, eq=False)
class Features:
    """The rows of one recipe, prepared for classification.

    Args:
        source: the rows.
        content: int64 `[n]` number of each row's content.
        known: float32 `[c, 2d]` embeddings of the contents that the space was learned from.
        new: float32 `[e, 2d]` embeddings of the contents that came since, numbered after those.
        hashes: content hash of each content.
        space: turns embeddings into features.
        groups: int64 `[n]`; rows of one number are copies of one clip.
        exact: whether no copy was missed.
        checksum: of `known` where that is a file, which is then checked when it is first used.
    """

    source: Rows
    content: np.ndarray
    known: np.ndarray
    new: np.ndarray
    hashes: pa.Array
    space: Space
    groups: np.ndarray
    exact: bool
    checksum: int | None = None

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Prepare the rows of one recipe.

        Raises:
            StoreError: the store cannot be read.
        """
        return cls._learned(vectors)[0]

    @classmethod
    def read(cls, store: Store, recipe: Recipe, rows: Rows) -> Self:
        """Prepare the rows of a recipe with what is kept of their contents.

        Raises:
            StoreError: the store cannot be read.
        """
        return cls._updated(Kept(store, recipe), rows) or cls.learn(store, recipe)

    @classmethod
    def learn(cls, store: Store, recipe: Recipe) -> Self:
        """Prepare the rows of a recipe, and keep what was learned of their contents.

        Raises:
            StoreError: the store cannot be read.
        """
        features, pairs = cls._learned(read_vectors(store, recipe))
        if len(features.source):
            kept, space = Kept(store, recipe), features.space
            arrays = {
                "hashes": np.array(features.hashes.to_pylist(), np.bytes_),
                **space.to_arrays(),
                "pairs": pairs,
                "exact": np.array(features.exact),
                "matrix": np.array(kept.save_matrix(SUBJECT, features.known)),
            }
            kept.save(SUBJECT, arrays)
        return features

    @classmethod
    def _learned(cls, vectors: Vectors) -> tuple[Self, np.ndarray]:
        """Learn from all rows, and return the pairs of duplicates, too."""
        source = Rows(vectors.rows, vectors.snapshot)
        encoded = vectors.rows.column("content_hash").combine_chunks().dictionary_encode()
        content = encoded.indices.to_numpy().astype(np.int64)
        first = np.unique(content, return_index=True)[1]
        known = vectors.embeddings if len(first) == len(content) else vectors.embeddings[first]
        space = Space.of(known)
        found = duplicate_pairs(known, space.usual, _thumbnails(source, first))
        groups = _groups(found.pairs, encoded.dictionary)[content]
        new = np.empty((0, known.shape[1]), np.float32)
        made = cls(source, content, known, new, encoded.dictionary, space, groups, found.exact)
        return made, found.pairs

    @classmethod
    def _updated(cls, kept: Kept, read: Rows) -> Self | None:
        """Prepare rows with what is kept; None where too little of it can be used."""
        arrays = kept.load(SUBJECT)
        if arrays is None:
            return None
        there = pa.array(arrays["hashes"].astype(str).tolist(), pa.string())
        hashes = read.rows.column("content_hash").combine_chunks()
        encoded = hashes.dictionary_encode()
        number = pc.index_in(encoded.dictionary, value_set=there)
        is_new = number.is_null().to_numpy(zero_copy_only=False)
        came = int(is_new.sum())
        gone = len(there) - (len(is_new) - came)
        if came + gone > most_changes(len(there)):
            return None
        checksum = int(arrays["matrix"])
        known = kept.map_matrix(SUBJECT, checksum)
        if known is None or len(known) != len(there):
            return None
        numbers = number.fill_null(0).to_numpy().astype(np.int64)
        numbers[is_new] = len(there) + np.arange(came)
        content = numbers[encoded.indices.to_numpy()]
        first = np.full(len(there) + came, -1, np.int64)
        first[content[::-1]] = np.arange(len(content))[::-1]
        new = read_matrix(read.snapshot, read.row_ids[first[len(there) :]], known.shape[1])
        space = Space.from_arrays(arrays)
        usual = space.usual
        pairs = arrays["pairs"]
        if len(new):
            if not kept.is_whole(known, checksum):
                return None
            among = duplicate_pairs(new, usual, _thumbnails(read, first, len(there)))
            beside = duplicates_of(new, known, usual, _thumbnails(read, first))
            pairs = np.concatenate([pairs, among.pairs + len(there), beside])
        pairs = pairs[(first[pairs] >= 0).all(axis=1)]
        every = pa.concat_arrays([there, encoded.dictionary.filter(pa.array(is_new))])
        groups = _groups(pairs, every)[content]
        exact = bool(arrays["exact"])
        unchecked = None if len(new) else checksum
        return cls(read, content, known, new, every, space, groups, exact, unchecked)

    def remark(self, changes: int) -> str | None:
        """Say in what an answer may differ from a whole new one; None where it does not.

        Args:
            changes: labeled videos that changed since their folders were tried on themselves.
        """
        remarks = []
        if changes:
            plural = "" if changes == 1 else "s"
            remarks.append(
                f"Confidences were measured {changes} change{plural} of labeled videos ago."
            )
        if not self.exact:
            remarks.append("Copies were looked for among the nearest videos only.")
        return " ".join(remarks) or None

    @cached_property
    def _known(self) -> np.ndarray:
        if self.checksum is not None and not Kept.is_whole(self.known, self.checksum):
            raise DamagedError
        return self.known

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 `[q, 2d]` of rows, int64 `[q]`."""
        return self.of_contents(self.content[rows])

    def numbers_of(self, hashes: Sequence[str]) -> np.ndarray:
        """Return the numbers of contents, int64 `[q]`; -1 where the vector is not known."""
        found = pc.index_in(pa.array(hashes, pa.string()), value_set=self.hashes)
        return np.asarray(found.fill_null(-1).to_numpy(), np.int64)

    def of_contents(self, contents: np.ndarray) -> np.ndarray:
        """Return float32 `[q, 2d]` of contents, int64 `[q]`."""
        found = np.empty((len(contents), self.known.shape[1]), np.float32)
        is_new = contents >= len(self.known)
        found[~is_new] = self._known[contents[~is_new]]
        found[is_new] = self.new[contents[is_new] - len(self.known)]
        return found

    def reduced(self, rows: np.ndarray) -> np.ndarray:
        """Return float `[q, r]` of rows, int64 `[q]`: what the classifier takes."""
        return self.space.reduced(self.embeddings(rows))

    @cached_property
    def clips(self) -> Clips:
        """The labeled clips; of the copies in one folder, the first stands for all."""
        labels = self.source.labels
        names = tuple(sorted({label for label in labels if label is not None}))
        index = {name: number for number, name in enumerate(names)}
        numbers = np.array([-1 if label is None else index[label] for label in labels], np.int64)
        there = np.flatnonzero(numbers >= 0)
        key = self.groups[there] * max(len(names), 1) + numbers[there]
        rows = there[np.sort(np.unique(key, return_index=True)[1])]
        return Clips(numbers[rows], self.groups[rows], rows, names)

    @cached_property
    def clips_of_one_folder(self) -> Clips:
        """The labeled clips without those in several folders, whose label is unknown."""
        return self.clips.select(~self.clips.ambiguous)

    def labeled(self, clips: Clips) -> LabeledClips:
        """Return clips with their vectors."""
        parts = (clips.labels, clips.groups, clips.rows, clips.names)
        return LabeledClips(*parts, self.reduced(clips.rows))

    def centred(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 `[q, 2d]` of rows, int64 `[q]`: what neighbours are found by."""
        return self.space.centred(self.embeddings(rows))


class DamagedError(Exception):
    """The vectors that were kept are damaged."""


def with_features(store: Store, recipe: Recipe, rows: Rows, work: Callable[[Features], T]) -> T:
    """Do something with the rows of a recipe, prepared with what is kept, where that can be used.

    Args:
        store: the store.
        recipe: what made the rows.
        rows: as `read_present` gives them.
        work: what is done.

    Raises:
        StoreError: the store cannot be read.
    """
    import scipy.linalg  # noqa: F401 - brings a BLAS, which `one_blas_thread` has to know of

    with one_blas_thread():
        try:
            return work(Features.read(store, recipe, rows))
        except DamagedError:  # which was logged
            return work(Features.learn(store, recipe))


def most_changes(learned: int) -> float:
    """Give how many of so many may change until all is learned again."""
    return CHANGED_SHARE * learned if learned > FEW else 0


def _groups(pairs: np.ndarray, hashes: pa.Array) -> np.ndarray:
    """Number contents so that copies have one number, in the order of their hashes.

    Cross-validation draws its parts by number: so they do not change with paths.
    """
    rank = np.argsort(pc.sort_indices(hashes).to_numpy())
    return connected(rank[pairs], len(hashes))[rank]


def _thumbnails(source: Rows, first: np.ndarray, begin: int = 0) -> Thumbnails:
    """Read the pictures of contents, numbered from `begin` on, of each that of its first row."""

    def read(contents: Sequence[int]) -> Mapping[int, bytes]:
        rows = {each: int(first[each + begin]) for each in contents}
        number = {source.paths[row]: each for each, row in rows.items() if row >= 0}
        found = read_thumbnails(source.snapshot, number)
        return {number[path]: jpeg for path, jpeg in found.items()}

    return read
