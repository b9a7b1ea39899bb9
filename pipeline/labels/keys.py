"""Keys of videos in folders: what is known of them holds in another version of the table, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.classifier import Clips
from pipeline.labels.features import Features


def keys_of(
    features: Features, rows: np.ndarray, folders: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Name pairs of a content and a folder, whatever their numbers are: bytes `[n]`.

    Args:
        features: of the collection.
        rows: int64 `[n]`, that have the contents.
        folders: int64 `[n]` indices into `names`; -1 for none.
        names: folder names.
    """
    hashes = features.hashes.take(pa.array(features.content[rows]))
    folder = pa.array([*names, ""], pa.string()).take(pa.array(folders % (len(names) + 1)))
    keys = pc.binary_join_element_wise(folder, hashes, "/").cast(pa.binary())
    return np.array(keys.to_pylist(), np.bytes_)


def clip_keys(features: Features, clips: Clips) -> np.ndarray:
    """Name clips, bytes `[n]`, each another name."""
    return keys_of(features, clips.rows, clips.labels, clips.names)


def places_of(keys: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Find keys among others: int64 `[n]`; -1 where one is not there."""
    width = max(keys.itemsize, among.itemsize)
    found = pc.index_in(_as_arrow(keys, width), value_set=_as_arrow(among, width))
    return np.asarray(found.fill_null(-1).to_numpy(), np.int64)


def _as_arrow(keys: np.ndarray, width: int) -> pa.Array:
    same = keys.astype(f"S{width}", copy=False)  # shorter ones end with zeros
    buffers = [None, pa.py_buffer(np.ascontiguousarray(same))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(same), buffers)


def changes_of(keys: np.ndarray, before: np.ndarray) -> int:
    """Count the keys that came and went."""
    return len(keys) + len(before) - 2 * int((places_of(keys, before) >= 0).sum())


def split_keys(keys: np.ndarray) -> tuple[list[str], list[str]]:
    """Return the folder and the content hash of each key."""
    parts = [key.decode().rpartition("/") for key in keys.tolist()]
    return [folder for folder, _, _ in parts], [content for _, _, content in parts]
