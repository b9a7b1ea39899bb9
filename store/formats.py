"""The feature files of an export: `pt` for torch, and beside it `parquet` or `npz`.

    labeled_embeddings.pt       features float32 [n, D], labels int64 [n], label_names, video_paths
    labeled_embeddings.npz      the same arrays; the names and paths as Unicode arrays
    labeled_embeddings.parquet  a row a video: video_path, label (a name), label_index, features

`unlabeled_embeddings` has features and video_paths alone. The features go from the store to the
file block by block; torch.save and numpy.savez would want them in memory.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, TypeAlias
from zipfile import ZipFile, ZipInfo

import numpy as np
import pyarrow as pa

from store.files import durable
from store.vectors import Embeddings

Array: TypeAlias = np.ndarray | Embeddings

Content = Mapping[str, Any]
"""`features` (an `Array`), `video_paths`, and of labeled ones `labels` and `label_names`."""


def save_torch(file: Path, content: Content) -> None:
    """Loads with `torch.load(file, weights_only=True)`, also with `mmap=True`.

    An archive as torch.save makes it: `data.pkl`, in which tensors refer to the records `data/0`,
    `data/1`, ... ("Serialized file format for torch.save",
    docs.pytorch.org/docs/stable/notes/serialization.html).
    """
    arrays = {name: value for name, value in content.items() if isinstance(value, Array)}
    tensors = {name: _Tensor(str(key), arrays[name]) for key, name in enumerate(arrays)}
    with _archive(file) as archive:
        with archive.entry("archive/data.pkl") as record:
            _TensorPickler(record, protocol=2).dump({**content, **tensors})
        with archive.entry("archive/byteorder") as record:
            record.write(sys.byteorder.encode())
        for tensor in tensors.values():
            with archive.entry(f"archive/data/{tensor.key}") as record:
                _write_numbers(record, tensor.array)
        with archive.entry("archive/version") as record:
            record.write(b"3\n")


def save_npz(file: Path, content: Content) -> None:
    """Loads with `numpy.load(file)`, without pickles."""
    with _archive(file) as archive:
        for name, value in content.items():
            array = value if isinstance(value, Array) else np.array(value, np.str_)
            with archive.entry(f"{name}.npy") as record:
                header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(record, header)
                _write_numbers(record, array)


def save_parquet(file: Path, content: Content) -> None:
    """Loads with pandas, polars, DuckDB and the like."""
    import pyarrow.parquet as pq

    features: Embeddings = content["features"]
    columns: dict[str, pa.Array] = {"video_path": pa.array(content["video_paths"], pa.string())}
    if "labels" in content:
        indices = pa.array(content["labels"])
        columns["label"] = pa.array(content["label_names"], pa.string()).take(indices)
        columns["label_index"] = indices
    rows = pa.table(columns)
    vector = pa.list_(pa.float32(), features.width)
    schema = rows.schema.append(pa.field("features", vector))
    with durable(file) as stream, pq.ParquetWriter(stream, schema) as writer:
        at = 0
        for block in features:
            lists = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), features.width)
            writer.write_table(rows.slice(at, len(block)).append_column("features", lists))
            at += len(block)


FORMATS: dict[str, Callable[[Path, Content], None]] = {
    "pt": save_torch,
    "parquet": save_parquet,
    "npz": save_npz,
}
"""By the ending of the file."""


# archives of arrays

_ALIGNMENT = 64  # bytes, of what a record holds, as torch.save has it: so that it can be mapped
_PADDING = 0x4246  # the extra field of a ZIP entry that torch.save pads with
_HEADER_BYTES = 30 + 20 + 4  # of an entry, besides its name: fixed; sizes of 64 bits; padding's own


@dataclass(frozen=True)
class _Archive:
    stream: IO[bytes]
    zip: ZipFile

    @contextmanager
    def entry(self, name: str) -> Iterator[IO[bytes]]:
        """A new one to write; of the year 1980, so that the same rows give the same bytes."""
        info = ZipInfo(name)
        padding = -(self.stream.tell() + _HEADER_BYTES + len(name.encode())) % _ALIGNMENT
        info.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
        with self.zip.open(info, "w", force_zip64=True) as record:
            yield record


@contextmanager
def _archive(file: Path) -> Iterator[_Archive]:
    with durable(file) as stream, ZipFile(stream, "w") as archive:
        yield _Archive(stream, archive)


def _write_numbers(record: IO[bytes], array: Array) -> None:
    blocks: Iterable[np.ndarray] = [array] if isinstance(array, np.ndarray) else array
    for block in blocks:
        record.write(np.ascontiguousarray(block).data)


# tensors in a pickle


@dataclass(frozen=True, eq=False)
class _Storage:
    """Numbers that are in a record of their own."""

    key: str
    array: Array


@dataclass(frozen=True, eq=False)
class _Tensor:
    """Pickled as a tensor is: a call of torch's with the storage, where in it the tensor begins,
    its size and strides, whether it has a gradient, and its hooks."""

    key: str
    array: Array

    def __reduce__(self) -> tuple[Any, ...]:
        import torch  # takes seconds, and only the export needs it

        shape = self.array.shape
        strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
        no_hooks: OrderedDict[int, Any] = OrderedDict()
        rebuild = torch._utils._rebuild_tensor_v2
        return rebuild, (_Storage(self.key, self.array), 0, shape, strides, False, no_hooks)


class _TensorPickler(pickle.Pickler):
    """Keeps no table of what it has written, to write what comes again as a reference: here nothing
    does, and that of a million paths takes 40 MB."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fast = True

    def persistent_id(self, value: Any) -> Any:
        """What is not in the pickle itself."""
        if not isinstance(value, _Storage):
            return None
        import torch

        kinds = {"float32": torch.FloatStorage, "int64": torch.LongStorage}
        array = value.array
        return "storage", kinds[array.dtype.name], value.key, "cpu", prod(array.shape)
