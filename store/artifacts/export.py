"""The store as files: two tensors (.pt), transcripts.json and manifest.json.

They replace those of an earlier export when all of them are whole, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from store.analysis.vectors import (
    Vectors,
    of_recipe,
    read_embeddings,
    read_rows,
    width_of,
)
from store.artifacts.formats import FORMATS, Part
from store.artifacts.split import training_rows
from store.errors import StoreError
from store.files import durable, mapped_array, replacing
from store.schema import RECIPE_COLUMNS, Recipe
from store.table.lance import translated
from store.table.snapshot import Snapshot
from store.table.store import Store

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class ExportSummary:
    """Counts of what an export wrote.

    Args:
        out: the folder.
        labeled: shape of the feature tensor of the labeled videos.
        unlabeled: shape of the feature tensor of the others.
        labels: how many videos each label has, in name order.
        left_out: how many rows are of another recipe or offline.
        split: how many of the labeled videos train and validate; None without a split.
        stale: feature files in the folder that an earlier export wrote, and this one did not.
    """

    out: Path
    labeled: tuple[int, int]
    unlabeled: tuple[int, int]
    labels: Mapping[str, int]
    left_out: int
    split: tuple[int, int] | None = None
    stale: tuple[str, ...] = ()

    @property
    def transcripts(self) -> int:
        """How many transcripts there are: one of each exported video."""
        return self.labeled[0] + self.unlabeled[0]


def export(
    store: Store,
    out: Path,
    *,
    data_dir: str,
    recipe: Recipe,
    version: str,
    models: Mapping[str, Any],
    offline: bool = False,
    formats: Sequence[str] = (),
    train_share: float | None = None,
) -> ExportSummary:
    """Write the rows of one recipe, in path order.

    Args:
        store: the store that is exported.
        out: the folder to write to; made if need be.
        data_dir: the collection's root as configured, which exported paths begin with.
        recipe: what made the rows; those of another recipe are left out, and the manifest names
            them.
        version: the program's version, for the manifest.
        models: settings of the models, for the manifest.
        offline: whether rows whose file was not there at the last look are exported, too.
        formats: keys of `FORMATS` to write besides `pt`, which is always written.
        train_share: share of each label that trains, between 0 and 1; the manifest then names
            which of the labeled videos train and which validate. None makes no split.

    Raises:
        StoreError: there is nothing to export, the store cannot be read, or a file cannot be
            written. The folder's files are as they were.
    """
    snapshot = store.snapshot()
    wanted = of_recipe(recipe, offline=offline)
    root = (PurePath(data_dir) / "x").as_posix()[:-1]
    videos = read_rows(snapshot, ["content_hash", "duration_seconds", "transcript"], wanted)
    rest = read_rows(snapshot, [*RECIPE_COLUMNS, "offline"], ~wanted)
    if snapshot is None or not len(videos):
        raise StoreError(
            f"nothing to export: none of {len(rest)} videos is there and made with these settings"
        )
    manifest = _manifest(version, recipe, models, rest, root)
    with (
        translated(f"{out}: the export cannot be written"),
        replacing(out) as staging,
        mapped_array(staging, (len(videos), width_of(snapshot))) as features,
    ):
        labeled, unlabeled = _parts(snapshot, videos, features, root)
        if train_share:
            own = Vectors(labeled.rows, labeled.features, snapshot)
            labeled = replace(labeled, trains=training_rows(own, train_share))
            manifest["split"] = _split(labeled, train_share)
        for ending in sorted({"pt", *formats}):
            FORMATS[ending](staging / f"labeled_embeddings.{ending}", labeled)
            FORMATS[ending](staging / f"unlabeled_embeddings.{ending}", unlabeled)
        _write_documents(staging, _shown(videos, root), manifest)
        stale = _stale(out, staging)
    return _summary(out, labeled, unlabeled, len(rest), manifest.get("split"), stale)


def _summary(
    out: Path,
    labeled: Part,
    unlabeled: Part,
    left_out: int,
    split: Mapping[str, Any] | None,
    stale: tuple[str, ...],
) -> ExportSummary:
    return ExportSummary(
        out,
        labeled.features.shape,
        unlabeled.features.shape,
        dict(Counter(sorted(labeled.rows.column("label").to_pylist()))),
        left_out,
        (len(split["train"]), len(split["validation"])) if split else None,
        stale,
    )


def _parts(
    snapshot: Snapshot, videos: pa.Table, features: np.ndarray, root: str
) -> tuple[Part, Part]:
    """Divide videos into the labeled and the others, and fill in features: the labeled first."""
    is_labeled = pc.is_valid(videos.column("label"))
    masks = (is_labeled, pc.invert(is_labeled))
    rows = videos.drop_columns(["transcript"])
    transcripts = videos.column("transcript")
    labeled, unlabeled = ((rows.filter(mask), partial(transcripts.filter, mask)) for mask in masks)
    row_ids = [part.column("_rowid").to_numpy() for part, _ in (labeled, unlabeled)]
    for places, block in read_embeddings(snapshot, np.concatenate(row_ids)):
        features[places] = block
    first, others = np.split(features, [len(labeled[0])])
    return (
        Part(first, *labeled, root, is_labeled=True),
        Part(others, *unlabeled, root, is_labeled=False),
    )


def _manifest(
    version: str, recipe: Recipe, models: Mapping[str, Any], rest: pa.Table, root: str
) -> dict[str, Any]:
    """Make manifest.json but for its `rows` and its `split`; `rest` are the rows left out."""
    return {
        "version": version,
        "recipe": recipe._asdict(),
        "models": dict(models),
        "rows": [],
        "left_out": [
            {"path": root + row["path"], "why": _why(row, recipe)} for row in rest.to_pylist()
        ],
    }


def _write_documents(folder: Path, videos: pa.Table, manifest: Mapping[str, Any]) -> None:
    """Write transcripts.json and manifest.json, adding `rows` to the latter.

    Each entry, and each item of a list, has a line of its own: people search them by line.
    """
    with durable(folder / "transcripts.json") as stream:
        stream.writelines(_bracketed(b"{}", _texts(videos)))
        stream.write(b"\n")
    entries = {
        name: map(orjson.dumps, value) if isinstance(value, list) else value
        for name, value in manifest.items()
    } | {"rows": _items(videos.select(["path", "content_hash", "label"]))}
    with durable(folder / "manifest.json") as stream:
        before = b"{\n"
        for name, value in entries.items():
            stream.write(before + orjson.dumps(name) + b": ")
            is_list = isinstance(value, Iterator)
            stream.writelines(_bracketed(b"[]", value) if is_list else [orjson.dumps(value)])
            before = b",\n"
        stream.write(b"\n}\n")


def _texts(videos: pa.Table) -> Iterator[bytes]:
    """Encode transcripts as entries of an object, many at a time, without its brackets.

    A million rows as Python objects take a gigabyte, and a call for each of them takes seconds.
    """
    for batch in videos.select(["path", "transcript"]).to_batches(max_chunksize=_BATCH_ROWS):
        paths, texts = (column.to_pylist() for column in batch.columns)
        yield orjson.dumps(dict(zip(paths, texts, strict=True)), option=orjson.OPT_INDENT_2)[2:-2]


def _items(rows: pa.Table) -> Iterator[bytes]:
    """Encode rows as items of a list, many at a time, without its brackets."""
    for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
        yield b",\n".join(map(orjson.dumps, batch.to_pylist()))


def _bracketed(brackets: bytes, parts: Iterable[bytes]) -> Iterator[bytes]:
    left, right = brackets[:1], brackets[1:]
    before = left + b"\n"
    for part in parts:
        yield before
        yield part
        before = b",\n"
    yield brackets if before.startswith(left) else b"\n" + right


def _shown(rows: pa.Table, root: str) -> pa.Table:
    """Put the configured folder before the paths of rows, as the artifacts show them."""
    paths = pc.binary_join_element_wise(root, rows.column("path"), "")
    return rows.set_column(rows.schema.get_field_index("path"), "path", paths)


def _why(row: Mapping[str, Any], recipe: Recipe) -> str:
    parts = zip(Recipe._fields, RECIPE_COLUMNS, recipe, strict=True)
    other = [f"{part}: {row[name]}" for part, name, text in parts if row[name] != text]
    if other:
        return f"made by another recipe ({'; '.join(other)})"
    return "offline: the file was not there at the last look"


def _stale(out: Path, staging: Path) -> tuple[str, ...]:
    """Name the feature files of an earlier export that stay: their rows may be gone."""
    there = {file.name for ending in FORMATS for file in out.glob(f"*labeled_embeddings.{ending}")}
    return tuple(sorted(there - {file.name for file in staging.iterdir()}))


def _split(labeled: Part, train_share: float) -> dict[str, Any]:
    trains = pa.array(labeled.trains)
    return {
        "train_share": train_share,
        "train": labeled.video_paths.filter(trains).to_pylist(),
        "validation": labeled.video_paths.filter(pc.invert(trains)).to_pylist(),
    }
