"""The store as files: labeled_embeddings.pt, unlabeled_embeddings.pt, transcripts.json and
manifest.json. They replace the former ones when all are whole, or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.arrow import dimension_of, matrix, video_schema
from store.errors import StoreError
from store.files import durable, replacing
from store.lance import Expr, Table, col, lit, translated
from store.schema import RecipeTexts
from store.table import Store

_BATCH_ROWS = 1024
_PARTS = ("visual", "transcript", "speech")
_RECIPES = [f"{part}_recipe" for part in _PARTS]


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Args:
        out: the folder.
        labeled, unlabeled: the shapes of the two feature tensors.
        labels: how many videos each label has, in name order.
        left_out: rows of another recipe, and offline ones.
    """

    out: Path
    labeled: tuple[int, int]
    unlabeled: tuple[int, int]
    labels: Mapping[str, int]
    left_out: int

    @property
    def transcripts(self) -> int:
        """One for each exported video."""
        return self.labeled[0] + self.unlabeled[0]


def export(
    store: Store,
    out: Path,
    *,
    data_dir: str,
    recipe: RecipeTexts,
    version: str,
    models: Mapping[str, Any],
    dimension: int = 1024,
    offline: bool = False,
) -> ExportSummary:
    """Write the rows of one recipe, in path order.

    Args:
        out: the folder; made if need be.
        data_dir: the collection's root as configured; exported paths begin with it.
        recipe: rows of another one are left out, and named in the manifest.
        version: the program's, for the manifest.
        models: what made the vectors, for the manifest.
        dimension: columns of the feature tensors where the store is empty.
        offline: also the rows whose file was not there at the last look.

    Raises:
        StoreError: the store cannot be read or a file cannot be written. The former files are
            as they were.
    """
    table = store.videos.snapshot()
    wanted = _wanted(recipe, offline)
    with store.videos.reading():
        videos = _with_paths(_read(table, ["content_hash", "transcript"], wanted), data_dir)
        rest = _with_paths(_read(table, [*_RECIPES, "offline"], ~wanted), data_dir)
    left_out = [{"path": row["path"], "why": _why(row, recipe)} for row in rest.to_pylist()]
    labeled = videos.filter(pc.is_valid(videos.column("label")))
    unlabeled = videos.filter(pc.is_null(videos.column("label")))
    counts = Counter(sorted(labeled.column("label").to_pylist()))
    manifest = {
        "version": version,
        "recipe": dict(zip(_PARTS, recipe, strict=True)),
        "models": dict(models),
        "rows": videos.select(["path", "content_hash", "label"]).to_pylist(),
        "left_out": left_out,
    }
    with translated(f"{out}: the export cannot be written"), replacing(out) as staging:
        _save_json(staging / "manifest.json", manifest)
        del manifest
        texts = videos.select(["path", "transcript"]).to_pydict()
        _save_json(staging / "transcripts.json", dict(zip(*texts.values(), strict=True)))
        del texts
        with store.videos.reading():
            ids = [*labeled.column("_rowid").to_pylist(), *unlabeled.column("_rowid").to_pylist()]
            features = _features(table, ids, dimension)
        _save_labeled(staging, labeled, features[: len(labeled)], list(counts))
        _save_unlabeled(staging, unlabeled, features[len(labeled) :])
    width = features.shape[1]
    return ExportSummary(
        out, (len(labeled), width), (len(unlabeled), width), dict(counts), len(left_out)
    )


def _wanted(recipe: RecipeTexts, offline: bool) -> Expr:
    same = [col(name) == lit(text) for name, text in zip(_RECIPES, recipe, strict=True)]
    present = [] if offline else [col("offline") == lit(False)]
    return reduce(and_, [*same, *present])


def _read(table: Table | None, columns: Sequence[str], where: Expr) -> pa.Table:
    """Row ids, paths, labels and these columns, in path order."""
    names = ["path", "label", *columns]
    if table is None:
        empty = video_schema(1).empty_table().select(names)
        return empty.append_column("_rowid", pa.array([], pa.uint64()))
    scan = table.search().where(where).select(names).limit(None).with_row_id(True)
    return scan.to_arrow().sort_by("path")


def _with_paths(rows: pa.Table, data_dir: str) -> pa.Table:
    """The rows with their paths as the artifacts show them: below the configured folder."""
    prefix = (PurePath(data_dir) / "x").as_posix()[:-1]
    paths = pc.binary_join_element_wise(prefix, rows.column("path"), "")
    return rows.set_column(rows.schema.get_field_index("path"), "path", paths)


def _why(row: Mapping[str, Any], recipe: RecipeTexts) -> str:
    parts = zip(_PARTS, _RECIPES, recipe, strict=True)
    other = [f"{part}: {row[name]}" for part, name, text in parts if row[name] != text]
    if other:
        return f"made by another recipe ({'; '.join(other)})"
    return "offline: the file was not there at the last look"


def _features(table: Table | None, row_ids: Sequence[int], dimension: int) -> np.ndarray:
    """float32 `[n, width]`: the embeddings of these rows, in this order.

    One scan, whose batches are scattered to their places: sorting or permuting the whole column
    takes several times the memory (8 GB more for a million rows).
    """
    if table is None:
        return np.empty((0, dimension), np.float32)
    width = 2 * dimension_of(table.schema)
    features = np.empty((len(row_ids), width), np.float32)
    if not row_ids:
        return features
    ids = np.array(row_ids, np.uint64)
    order = np.argsort(ids)
    filled = 0
    scan = table.search().select(["embedding"]).limit(None).with_row_id(True)
    for batch in scan.to_batches(batch_size=_BATCH_ROWS):
        seen = batch.column("_rowid").to_numpy()
        place = order[np.searchsorted(ids, seen, sorter=order).clip(max=len(ids) - 1)]
        mine = ids[place] == seen
        features[place[mine]] = matrix(batch.column("embedding"), width)[mine]
        filled += int(mine.sum())
    if filled != len(ids):
        raise StoreError(f"{filled} of {len(ids)} vectors could be read; export once more")
    return features


def _save_labeled(folder: Path, rows: pa.Table, features: np.ndarray, names: list[str]) -> None:
    index = {name: number for number, name in enumerate(names)}
    labels = np.array([index[label] for label in rows.column("label").to_pylist()], np.int64)
    content = {
        "features": features,
        "labels": labels,
        "label_names": names,
        "video_paths": rows.column("path").to_pylist(),
    }
    _save_torch(folder / "labeled_embeddings.pt", content)


def _save_unlabeled(folder: Path, rows: pa.Table, features: np.ndarray) -> None:
    content = {"features": features, "video_paths": rows.column("path").to_pylist()}
    _save_torch(folder / "unlabeled_embeddings.pt", content)


def _save_torch(file: Path, content: Mapping[str, Any]) -> None:
    import torch  # takes seconds to import, and only the export needs it

    tensors = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in content.items()
    }
    with durable(file) as stream:  # a stream: a name would be written into the file
        torch.save(tensors, stream)


def _save_json(file: Path, content: Any) -> None:
    with durable(file) as stream:
        for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(content):
            stream.write(piece.encode())
        stream.write(b"\n")
