"""Where each video of a collection lies in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.plot.layout import layout
from store.analysis.vectors import Rows

if TYPE_CHECKING:
    from pipeline.project import Project


@dataclass(frozen=True, eq=False)
class Places:
    """The videos of a project in the plane.

    Args:
        rows: paths, labels and content hashes, in path order.
        points: float64 `[n, 2]`, -1 to 1.
        remark: in what the picture may differ from one that is made anew; None where it does not.
    """

    rows: Rows
    points: np.ndarray
    remark: str | None = None


def place_videos(project: Project) -> Places:
    """Place the videos of a project, with what is kept beside its store.

    Raises:
        StoreError: the store cannot be read.
    """
    vectors = project.vectors()
    return Places(Rows(vectors.rows, vectors.snapshot), layout(vectors.embeddings))
