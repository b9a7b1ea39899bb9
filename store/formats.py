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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import count
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
    arrays = [value for value in content.values() if isinstance(value, Array)]
    with _archive(file) as archive:
        with archive.entry("archive/data.pkl") as record:
            record.writelines(_pickled(content))
        with archive.entry("archive/byteorder") as record:
            record.write(sys.byteorder.encode())
        for key, array in enumerate(arrays):
            with archive.entry(f"archive/data/{key}") as record:
                _write_numbers(record, array)
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

_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def _pickled(content: Content) -> Iterator[bytes]:
    """A pickle of the content with its arrays as tensors, in pieces, put together without torch:
    to import it takes longer than most exports."""
    yield pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK
    records = count()
    for name, value in content.items():
        yield _plain(name)
        yield _tensor(value, str(next(records))) if isinstance(value, Array) else _plain(value)
    yield pickle.SETITEMS + pickle.STOP


def _tensor(array: Array, key: str) -> bytes:
    """A call of torch's with the storage, where in it the tensor begins, its size and strides,
    whether it has a gradient, and its hooks. `key`: the record that the storage is in."""
    strides = tuple(prod(array.shape[axis + 1 :]) for axis in range(len(array.shape)))
    kind = _named("torch", _STORAGES[array.dtype.name])
    parts = [_plain("storage"), kind, *map(_plain, (key, "cpu", prod(array.shape)))]
    storage = _tuple(parts) + pickle.BINPERSID
    no_hooks = _named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = [storage, *map(_plain, (0, array.shape, strides, False)), no_hooks]
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
