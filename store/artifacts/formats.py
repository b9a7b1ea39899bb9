"""The feature files of an export: `pt` for torch, and beside it `parquet` or `npz`.

    labeled_embeddings.pt       features float32 [n, D], labels int64 [n], label_names, video_paths
    labeled_embeddings.npz      the same arrays; the names and paths as Unicode arrays
    labeled_embeddings.parquet  a row a video: video_path, label (a name), label_index, features

`unlabeled_embeddings` has features and video_paths alone. No file's features are in memory as a
whole: they go from the store to the `pt` file row by row, in the order in which they lie there, and
from that one to the others.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from itertools import chain, count
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from store.artifacts.archive import Archive, Matrix, archive
from store.files import durable

Content = Mapping[str, Any]
"""Besides the features: `video_paths`; of labeled ones, `labels` (an array) and `label_names`."""


@contextmanager
def torch_file(file: Path, shape: tuple[int, int], content: Content) -> Iterator[Matrix]:
    """Loads with `torch.load(file, weights_only=True)`, also with `mmap=True`. Yields the features,
    whose rows are all to be put in the block.

    An archive as torch.save makes it: `data.pkl`, in which tensors refer to the records `data/0`,
    `data/1`, ... ("Serialized file format for torch.save",
    docs.pytorch.org/docs/stable/notes/serialization.html).
    """
    arrays = [value for value in content.values() if isinstance(value, np.ndarray)]
    with archive(file) as records:
        records.add("archive/data.pkl", _pickled(shape, content))
        records.add("archive/byteorder", [sys.byteorder.encode()])
        features = records.matrix("archive/data/0", shape)
        for key, array in enumerate(arrays, start=1):
            records.add(f"archive/data/{key}", [array.data])
        records.add("archive/version", [b"3\n"])
        yield features


def save_npz(file: Path, features: Matrix, content: Content) -> None:
    """Loads with `numpy.load(file)`, without pickles."""
    with archive(file) as records:
        _add_array(records, "features", features.dtype, features.shape, features)
        for name, value in content.items():
            array = value if isinstance(value, np.ndarray) else np.array(value, np.str_)
            _add_array(records, name, array.dtype, array.shape, [array])


def save_parquet(file: Path, features: Matrix, content: Content) -> None:
    """Loads with pandas, polars, DuckDB and the like."""
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
        at = 0
        for block in features:
            lists = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), width)
            writer.write_table(rows.slice(at, len(block)).append_column("features", lists))
            at += len(block)


FORMATS: dict[str, Callable[[Path, Matrix, Content], None]] = {
    "parquet": save_parquet,
    "npz": save_npz,
}
"""Besides `pt`, by the ending of the file."""


def _add_array(
    records: Archive,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    blocks: Iterable[np.ndarray],
) -> None:
    header = BytesIO()
    facts = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    records.add(f"{name}.npy", chain([header.getvalue()], (block.data for block in blocks)))


# tensors in a pickle

_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def _pickled(shape: tuple[int, int], content: Content) -> Iterator[bytes]:
    """A pickle of the content with its arrays as tensors, in pieces, put together without torch:
    to import it takes longer than most exports. Features of that shape come first."""
    yield pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK
    yield _plain("features") + _tensor(shape, Matrix.dtype, "0")
    keys = count(1)
    for name, value in content.items():
        is_array = isinstance(value, np.ndarray)
        plain = _tensor(value.shape, value.dtype, str(next(keys))) if is_array else _plain(value)
        yield _plain(name) + plain
    yield pickle.SETITEMS + pickle.STOP


def _tensor(shape: tuple[int, ...], dtype: np.dtype[Any], key: str) -> bytes:
    """A call of torch's with the storage, where in it the tensor begins, its size and strides,
    whether it has a gradient, and its hooks. `key`: the record that the storage is in."""
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    kind = _named("torch", _STORAGES[dtype.name])
    parts = [_plain("storage"), kind, *map(_plain, (key, "cpu", prod(shape)))]
    storage = _tuple(parts) + pickle.BINPERSID
    no_hooks = _named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = [storage, *map(_plain, (0, shape, strides, False)), no_hooks]
    return _named("torch._utils", "_rebuild_tensor_v2") + _tuple(arguments) + pickle.REDUCE


def _named(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(parts: Iterable[bytes]) -> bytes:
    return pickle.MARK + b"".join(parts) + pickle.TUPLE


def _plain(value: Any) -> bytes:
    """What pickle makes of it, without the first two bytes and the last one, the frame. It keeps no
    table of what it has written, to write what comes again as a reference: here nothing does."""
    stream = BytesIO()
    pickler = pickle.Pickler(stream, protocol=2)
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()[2:-1]
