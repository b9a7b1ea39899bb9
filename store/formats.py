"""The feature files of an export: `pt` for torch, and beside it `parquet` or `npz`.

    labeled_embeddings.pt       features float32 [n, D], labels int64 [n], label_names, video_paths
    labeled_embeddings.npz      the same arrays; the names and paths as Unicode arrays
    labeled_embeddings.parquet  a row a video: video_path, label (a name), label_index, features

`unlabeled_embeddings` has features and video_paths alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from store.files import durable

Content = Mapping[str, Any]
"""`features`, `video_paths`, and of labeled ones `labels` and `label_names`."""


def save_torch(file: Path, content: Content) -> None:
    """Loads with `torch.load(file, weights_only=True)`."""
    import torch  # takes seconds to import, and only the export needs it

    tensors = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in content.items()
    }
    with durable(file) as stream:  # a stream: a name would be written into the file
        torch.save(tensors, stream, pickle_module=_PICKLE)


class _ForgetfulPickler(pickle.Pickler):
    """Keeps no table of what it has written, to write what comes again as a reference: here nothing
    does, and that of a million paths takes 40 MB."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fast = True


_PICKLE = SimpleNamespace(__name__="pickle", Pickler=_ForgetfulPickler)
"""As much of a pickle module as torch.save looks at."""


def save_npz(file: Path, content: Content) -> None:
    """Loads with `numpy.load(file)`, without pickles."""
    arrays: dict[str, Any] = {
        name: value if isinstance(value, np.ndarray) else np.array(value, np.str_)
        for name, value in content.items()
    }
    with durable(file) as stream:
        np.savez(stream, **arrays)


def save_parquet(file: Path, content: Content) -> None:
    """Loads with pandas, polars, DuckDB and the like."""
    import pyarrow.parquet as pq

    features: np.ndarray = content["features"]
    columns: dict[str, pa.Array] = {"video_path": pa.array(content["video_paths"], pa.string())}
    if "labels" in content:
        names = content["label_names"]
        columns["label"] = pa.array([names[index] for index in content["labels"]], pa.string())
        columns["label_index"] = pa.array(content["labels"])
    columns["features"] = pa.FixedSizeListArray.from_arrays(
        pa.array(features.ravel()), features.shape[1]
    )
    with durable(file) as stream:
        pq.write_table(pa.table(columns), stream)


FORMATS: dict[str, Callable[[Path, Content], None]] = {
    "pt": save_torch,
    "parquet": save_parquet,
    "npz": save_npz,
}
"""By the ending of the file."""
