"""Feature files of an export: `pt` for torch, and beside it `parquet`, `npz` or `csv`.

    labeled_embeddings.pt       features float32 [n, D], labels int64 [n], label_names, video_paths
    labeled_embeddings.npz      the same arrays; the names and paths as Unicode arrays
    labeled_embeddings.parquet  a row a video: video_path, label (a name), label_index, split,
                                duration_seconds, content_hash, transcript, features
    labeled_embeddings.csv      the same rows without features

`unlabeled_embeddings` has no labels and no split. Features stream from an array that is mapped from
a file, so that no format holds them in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.files import durable

_BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Part:
    """The videos of one feature file.

    Args:
        features: float32 `[n, D]`, mapped from a file.
        rows: a row a video: `path`, `label`, `duration_seconds`, `content_hash`.
        transcripts: gives the transcript of each row; only some formats hold them in memory.
        root: what paths begin with where they are shown.
        is_labeled: whether the videos have labels.
        trains: bool `[n]`, whether each trains; None where there is no split.
    """

    features: np.ndarray
    rows: pa.Table
    transcripts: Callable[[], pa.ChunkedArray]
    root: str
    is_labeled: bool
    trains: np.ndarray | None = None

    @cached_property
    def video_paths(self) -> pa.ChunkedArray:
        """Path of each video as it is shown."""
        return pc.binary_join_element_wise(self.root, self.rows.column("path"), "")

    @cached_property
    def label_names(self) -> list[str]:
        """Every label once, in the order of their indices."""
        return sorted(pc.unique(self.rows.column("label")).to_pylist())

    @cached_property
    def labels(self) -> np.ndarray:
        """Index of each label, int64 `[n]`."""
        labels = self.rows.column("label")
        indices = pc.index_in(labels, pa.array(self.label_names, labels.type))
        return np.asarray(indices, np.int64)

    def arrays(self) -> dict[str, Any]:
        """What stands beside the features in `pt` and `npz`."""
        paths = {"video_paths": self.video_paths.to_pylist()}
        if not self.is_labeled:
            return paths
        return {"labels": self.labels, "label_names": self.label_names, **paths}

    def table(self) -> pa.Table:
        """The rows as `parquet` and `csv` have them, without features."""
        columns = {"video_path": self.video_paths}
        if self.is_labeled:
            columns["label"] = self.rows.column("label")
            columns["label_index"] = pa.array(self.labels)
            columns["split"] = self._split()
        columns |= {name: self.rows.column(name) for name in ("duration_seconds", "content_hash")}
        return pa.table(columns | {"transcript": self.transcripts()})

    def _split(self) -> pa.Array:
        if self.trains is None:
            return pa.nulls(len(self.rows), pa.string())
        return pc.if_else(pa.array(self.trains), "train", "validation")


def save_torch(file: Path, part: Part) -> None:
    """Write a file for `torch.load(file, weights_only=True)`, also with `mmap=True`."""
    import torch

    values = {"features": part.features, **part.arrays()}
    made = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    with durable(file) as stream:
        try:
            torch.save(made, stream)
        except RuntimeError as error:
            # After a failed write torch closes its archive, which fails with an error of its own.
            raise error.__context__ or error from None


def save_npz(file: Path, part: Part) -> None:
    """Write a file for `numpy.load(file)`, without pickles."""
    arrays: dict[str, Any] = {
        name: value if isinstance(value, np.ndarray) else np.array(value, np.str_)
        for name, value in part.arrays().items()
    }
    with durable(file) as stream:
        np.savez(stream, features=part.features, **arrays)


def save_parquet(file: Path, part: Part) -> None:
    """Write a file for pandas, polars, DuckDB and the like."""
    import pyarrow.parquet as pq

    rows, features = part.table(), part.features
    width = features.shape[1]
    schema = rows.schema.append(pa.field("features", pa.list_(pa.float32(), width)))
    with durable(file) as stream, pq.ParquetWriter(stream, schema) as writer:
        for start in range(0, len(features), _BLOCK_ROWS):
            block = features[start : start + _BLOCK_ROWS]
            lists = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), width)
            writer.write_table(rows.slice(start, len(block)).append_column("features", lists))


def save_csv(file: Path, part: Part) -> None:
    """Write the rows without features, as UTF-8 with a header, for spreadsheets and scripts."""
    from pyarrow.csv import write_csv

    with durable(file) as stream:
        write_csv(part.table(), stream)


FORMATS: dict[str, Callable[[Path, Part], None]] = {
    "pt": save_torch,
    "parquet": save_parquet,
    "npz": save_npz,
    "csv": save_csv,
}
"""By the ending of the file."""
