"""Feature files of an export: `pt` for torch, and beside it `parquet` or `npz`.

    labeled_embeddings.pt       features float32 [n, D], labels int64 [n], label_names, video_paths
    labeled_embeddings.npz      the same arrays; the names and paths as Unicode arrays
    labeled_embeddings.parquet  a row a video: video_path, label (a name), label_index, features

`unlabeled_embeddings` has features and video_paths alone. Features stream from an array that is
mapped from a file, so that no format holds them in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from store.files import durable

Content = Mapping[str, Any]
"""What stands beside the features: `video_paths`; of labeled ones, `labels` (an array) and
`label_names`."""

_BLOCK_ROWS = 4096


def save_torch(file: Path, features: np.ndarray, content: Content) -> None:
    """Write a file for `torch.load(file, weights_only=True)`, also with `mmap=True`."""
    import torch

    values = {"features": features, **content}
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


def save_npz(file: Path, features: np.ndarray, content: Content) -> None:
    """Write a file for `numpy.load(file)`, without pickles."""
    arrays: dict[str, Any] = {
        name: value if isinstance(value, np.ndarray) else np.array(value, np.str_)
        for name, value in content.items()
    }
    with durable(file) as stream:
        np.savez(stream, features=features, **arrays)


def save_parquet(file: Path, features: np.ndarray, content: Content) -> None:
    """Write a file for pandas, polars, DuckDB and the like."""
    import pyarrow.parquet as pq

    columns: dict[str, pa.Array] = {"video_path": pa.array(content["video_paths"], pa.string())}
    if "labels" in content:
        indices = pa.array(content["labels"])
        columns["label"] = pa.array(content["label_names"], pa.string()).take(indices)
        columns["label_index"] = indices
    rows = pa.table(columns)
    width = features.shape[1]
    schema = rows.schema.append(pa.field("features", pa.list_(pa.float32(), width)))
    with durable(file) as stream, pq.ParquetWriter(stream, schema) as writer:
        for start in range(0, len(features), _BLOCK_ROWS):
            block = features[start : start + _BLOCK_ROWS]
            lists = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), width)
            writer.write_table(rows.slice(start, len(block)).append_column("features", lists))


FORMATS: dict[str, Callable[[Path, np.ndarray, Content], None]] = {
    "pt": save_torch,
    "parquet": save_parquet,
    "npz": save_npz,
}
"""By the ending of the file."""
