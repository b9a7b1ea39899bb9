"""The frame or stretch of speech of a video that is most like a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from store.arrays import dots


@dataclass(frozen=True, eq=False)
class MultiVectors:
    """The vectors of the frames, or of the stretches of speech, of several videos.

    Args:
        vectors: float32 `[p, d]`, those of the first video, then those of the second, ...
        counts: int64 `[n]`, how many each video has; may be 0.
    """

    vectors: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray, dimension: int) -> MultiVectors:
        """Read a column of lists of vectors."""
        lists = column.combine_chunks()
        if isinstance(lists, pa.ChunkedArray):  # without a single row
            return cls(np.zeros((0, dimension), np.float32), np.zeros(0, np.int64))
        vectors: np.ndarray = lists.flatten().flatten().to_numpy().astype(np.float32)
        counts: np.ndarray = lists.value_lengths().fill_null(0).to_numpy().astype(np.int64)
        return cls(vectors.reshape(-1, dimension), counts)

    @classmethod
    def joined(cls, columns: Sequence[pa.ChunkedArray], dimension: int) -> MultiVectors:
        """Read several columns of lists of vectors; each video has those of all, in their order."""
        parts = [cls.of(column, dimension) for column in columns]
        if len(parts) == 1:
            return parts[0]
        videos = np.concatenate([np.repeat(np.arange(len(p.counts)), p.counts) for p in parts])
        vectors = np.concatenate([part.vectors for part in parts])
        counts = np.sum([part.counts for part in parts], axis=0)
        return cls(vectors[np.argsort(videos, kind="stable")], counts)

    def best(self, vector: np.ndarray) -> np.ndarray:
        """Find each video's largest dot product with a vector, equal to the bit for copies.

        Args:
            vector: float32 `[d]`.

        Returns:
            float32 `[n]`; -inf where a video has no vectors.
        """
        best: np.ndarray = self._best(dots(self.vectors, vector)[None])[0]
        return best

    def best_for_each(self, vectors: np.ndarray) -> np.ndarray:
        """Do as `best` does for several vectors at once, equal but for rounding.

        Args:
            vectors: float32 `[m, d]`.

        Returns:
            float32 `[m, n]`.
        """
        return self._best(vectors @ self.vectors.T)

    def _best(self, scores: np.ndarray) -> np.ndarray:
        best = np.full((len(scores), len(self.counts)), -np.inf, np.float32)
        filled = self.counts > 0
        if filled.any():
            starts = (np.cumsum(self.counts) - self.counts)[filled]
            best[:, filled] = np.maximum.reduceat(scores, starts, axis=1)
        return best

    def which(self, vector: np.ndarray) -> list[int | None]:
        """Find the index of each video's first vector that is most like `[d]`; None without any."""
        scores, ends = dots(self.vectors, vector), np.cumsum(self.counts)
        parts = [scores[end - n : end] for n, end in zip(self.counts, ends, strict=True)]
        return [int(part.argmax()) if len(part) else None for part in parts]
