"""Where each video of a collection lies in the plane, kept beside the store.

A place belongs to a content: files that are moved stay where they are. Contents that come are
placed in the layout of the others, until many have come; then all are laid out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.plot.layout import MOST_FITTED, Plane, beside, lay_out
from store.analysis.kept import Kept
from store.analysis.vectors import Rows, read_matrix, read_present, read_vectors

if TYPE_CHECKING:
    from pipeline.project import Project

FEW = 500
"""Contents up to which all are laid out again at every change; that takes a second or two."""

CHANGED_SHARE = 0.1
"""Share of a larger layout that may be new, and placed in it, before all of it is made again."""

_SUBJECT = "places"


@dataclass(frozen=True, eq=False)
class Places:
    """The videos of a project in the plane.

    Args:
        rows: paths, labels and content hashes, in path order.
        contents: the different content hashes, `c` of them.
        spots: float64 `[c, 2]`, where each content lies, -1 to 1.
        remark: how the picture differs from t-SNE of all videos; None where it does not.
    """

    rows: Rows
    contents: pa.Array
    spots: np.ndarray
    remark: str | None = None

    @property
    def points(self) -> np.ndarray:
        """float64 `[n, 2]`: where each row lies."""
        return self.place(self.rows.hashes)[1]

    def place(self, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Place videos by content, copies side by side.

        Returns:
            Which of the videos have a place, bool `[n]`; and the places of those, float64 `[m, 2]`.
        """
        number = pc.index_in(pa.array(hashes, pa.string()), value_set=self.contents)
        is_there = number.is_valid().to_numpy(zero_copy_only=False)
        return is_there, beside(self.spots[number.drop_null().to_numpy()])


def place_videos(project: Project) -> Places:
    """Place the videos of a project, with what is kept beside its store.

    Raises:
        StoreError: the store cannot be read.
    """
    kept = Kept(project.store, project.recipe)
    rows = read_present(project.store, project.recipe)
    if not len(rows):
        return Places(rows, pa.array([], pa.string()), np.empty((0, 2)))
    encoded = rows.rows.column("content_hash").combine_chunks().dictionary_encode()
    first = np.unique(encoded.indices.to_numpy(), return_index=True)[1]
    found = _kept_places(kept, rows, encoded.dictionary, rows.row_ids[first])
    if found is None:
        vectors = read_vectors(project.store, project.recipe)
        if vectors.paths != rows.paths:  # somebody has written meanwhile
            return place_videos(project)
        plane, points = lay_out(vectors.embeddings[first])
        found = points, np.zeros(len(first), bool)
        _keep(kept, encoded.dictionary, plane, *found)
    points, is_late = found
    return Places(rows, encoded.dictionary, points, _remark(len(points), int(is_late.sum())))


def _kept_places(
    kept: Kept, rows: Rows, hashes: pa.Array, row_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the point of each content, and which came late; None where too few are known."""
    arrays = kept.load(_SUBJECT)
    if arrays is None:
        return None
    there = pa.array(arrays["hashes"].astype(np.str_).tolist(), pa.string())
    number = pc.index_in(hashes, value_set=there)
    is_new = number.is_null().to_numpy(zero_copy_only=False)
    number = number.fill_null(0).to_numpy()
    is_late = is_new | arrays["late"][number]
    gone = len(there) - int((~is_new).sum())
    most = CHANGED_SHARE * len(there) if len(there) > FEW else 0
    if is_late.sum() + gone > most:
        return None
    points = arrays["spots"][number]
    if is_new.any():
        plane = Plane.from_arrays(arrays)
        points[is_new] = plane.place(read_matrix(rows.snapshot, row_ids[is_new], len(plane.mean)))
        _keep(kept, hashes, plane, points, is_late)
    return points, is_late


def _keep(
    kept: Kept, hashes: pa.Array, plane: Plane, points: np.ndarray, is_late: np.ndarray
) -> None:
    named = np.array(hashes.to_pylist(), np.bytes_)
    arrays = {"hashes": named, "spots": points, "late": is_late}
    kept.save(_SUBJECT, {**plane.to_arrays(), **arrays})


def _remark(contents: int, late: int) -> str | None:
    if contents > MOST_FITTED:
        return (
            f"{MOST_FITTED:,} of {contents:,} videos are laid out by t-SNE;"
            " the others lie beside those that they are most like."
        )
    if late:
        return f"{late:,} videos that came later lie beside those that they are most like."
    return None
