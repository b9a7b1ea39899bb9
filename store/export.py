"""The store as files: labeled_embeddings.pt, unlabeled_embeddings.pt, transcripts.json and
manifest.json. They replace the former ones when all are whole, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from store.files import durable, replacing
from store.formats import FORMATS, Content
from store.lance import translated
from store.schema import RecipeTexts
from store.snapshot import Snapshot
from store.table import Store
from store.vectors import RECIPE_COLUMNS, Embeddings, Vectors, of_recipe, read_rows

_RECIPES = ("visual", "transcript", "speech")
_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Args:
        out: the folder.
        labeled, unlabeled: the shapes of the two feature tensors.
        labels: how many videos each label has, in name order.
        left_out: rows of another recipe, and offline ones.
        split: how many of the labeled videos train and validate; None without a split.
        stale: feature files of a former export that this one did not write.
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
    formats: Sequence[str] = (),
    train_share: float | None = None,
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
        formats: of the feature files, besides `pt`: keys of `FORMATS`.
        train_share: split the labeled videos, in the manifest: this share of each label trains.

    Raises:
        StoreError: the store cannot be read or a file cannot be written. The former files are
            as they were.
    """
    snapshot = store.snapshot()
    wanted = of_recipe(recipe, offline=offline)
    root = (PurePath(data_dir) / "x").as_posix()[:-1]
    videos = read_rows(snapshot, ["content_hash", "transcript"], wanted)
    rest = read_rows(snapshot, [*RECIPE_COLUMNS, "offline"], ~wanted)
    parts = _parts(snapshot, videos, dimension)
    manifest = _manifest(version, recipe, models, rest, root)
    with translated(f"{out}: the export cannot be written"), replacing(out) as staging:
        _save_features(staging, parts, root, formats)
        if train_share:
            manifest["split"] = _split(parts[0].vectors(), root, train_share)
        _write_documents(staging, _shown(videos, root), manifest)
        stale = _stale(out, staging)
    return _summary(out, parts, manifest, stale)


@dataclass(frozen=True, eq=False)
class _Part:
    """The labeled rows, or the others, and their embeddings."""

    rows: pa.Table
    features: Embeddings

    def vectors(self) -> Vectors:
        """All in memory."""
        return Vectors(self.rows, self.features.whole(), self.features.snapshot)


def _parts(snapshot: Snapshot | None, videos: pa.Table, dimension: int) -> tuple[_Part, _Part]:
    rows = videos.drop_columns(["transcript"])
    labels = rows.column("label")
    labeled, others = (
        _Part(part, Embeddings.of(snapshot, part, dimension))
        for part in (rows.filter(pc.is_valid(labels)), rows.filter(pc.is_null(labels)))
    )
    return labeled, others


def _summary(
    out: Path, parts: tuple[_Part, _Part], manifest: Mapping[str, Any], stale: tuple[str, ...]
) -> ExportSummary:
    labeled, unlabeled = parts
    split = manifest.get("split")
    return ExportSummary(
        out,
        labeled.features.shape,
        unlabeled.features.shape,
        dict(Counter(sorted(labeled.rows.column("label").to_pylist()))),
        len(manifest["left_out"]),
        (len(split["train"]), len(split["validation"])) if split else None,
        stale,
    )


def _manifest(
    version: str, recipe: RecipeTexts, models: Mapping[str, Any], rest: pa.Table, root: str
) -> dict[str, Any]:
    """manifest.json but for its `rows`, which `_write_documents` adds, and its `split`.

    Args:
        rest: the rows that are left out.
    """
    return {
        "version": version,
        "recipe": dict(zip(_RECIPES, recipe, strict=True)),
        "models": dict(models),
        "rows": [],
        "left_out": [
            {"path": root + row["path"], "why": _why(row, recipe)} for row in rest.to_pylist()
        ],
    }


def _write_documents(folder: Path, videos: pa.Table, manifest: Mapping[str, Any]) -> None:
    """transcripts.json, and manifest.json with its `rows`."""
    texts = ((row["path"], row["transcript"]) for row in _each(videos, "path", "transcript"))
    _save_json(folder / "transcripts.json", texts)
    rows = _each(videos, "path", "content_hash", "label")
    _save_json(folder / "manifest.json", {**manifest, "rows": rows}.items())


def _each(rows: pa.Table, *columns: str) -> Iterator[dict[str, Any]]:
    """Row by row; as Python has them, a million take a gigabyte."""
    for batch in rows.select(columns).to_batches(max_chunksize=_BATCH_ROWS):
        yield from batch.to_pylist()


def _shown(rows: pa.Table, root: str) -> pa.Table:
    """The rows with their paths as the artifacts show them, below the configured folder."""
    paths = pc.binary_join_element_wise(root, rows.column("path"), "")
    return rows.set_column(rows.schema.get_field_index("path"), "path", paths)


def _why(row: Mapping[str, Any], recipe: RecipeTexts) -> str:
    parts = zip(_RECIPES, RECIPE_COLUMNS, recipe, strict=True)
    other = [f"{part}: {row[name]}" for part, name, text in parts if row[name] != text]
    if other:
        return f"made by another recipe ({'; '.join(other)})"
    return "offline: the file was not there at the last look"


def _save_features(
    folder: Path, parts: tuple[_Part, _Part], root: str, formats: Sequence[str]
) -> None:
    """One file's names and paths at a time are in memory, as Python has them."""
    labeled, unlabeled = parts
    for ending in dict.fromkeys(["pt", *formats]):
        save = FORMATS[ending]
        save(folder / f"labeled_embeddings.{ending}", _labeled(labeled, root))
        save(folder / f"unlabeled_embeddings.{ending}", _unlabeled(unlabeled, root))


def _labeled(part: _Part, root: str) -> Content:
    labels = part.rows.column("label")
    names = pa.array(sorted(pc.unique(labels).to_pylist()), labels.type)
    return {
        "features": part.features,
        "labels": pc.index_in(labels, names).to_numpy().astype(np.int64),
        "label_names": names.to_pylist(),
        "video_paths": _shown(part.rows, root).column("path").to_pylist(),
    }


def _unlabeled(part: _Part, root: str) -> Content:
    paths = _shown(part.rows, root).column("path").to_pylist()
    return {"features": part.features, "video_paths": paths}


def _stale(out: Path, staging: Path) -> tuple[str, ...]:
    """Feature files that stay behind: they are of rows that may be no more."""
    former = {file.name for ending in FORMATS for file in out.glob(f"*labeled_embeddings.{ending}")}
    return tuple(sorted(former - {file.name for file in staging.iterdir()}))


def _split(labeled: Vectors, root: str, train_share: float) -> dict[str, Any]:
    from store.duplicates import duplicate_groups
    from store.splitting import split

    labels = [label or "" for label in labeled.labels]
    trains = split(labels, labeled.hashes, duplicate_groups(labeled), train_share)
    paths = np.array([root + path for path in labeled.paths], np.object_)
    return {
        "train_share": train_share,
        "train": paths[trains].tolist(),
        "validation": paths[~trains].tolist(),
    }


def _save_json(file: Path, content: Iterable[tuple[str, Any]]) -> None:
    """An entry a line, of a list an item a line: people read it, and search it line by line."""
    with durable(file) as stream:
        before = b"{"
        for key, value in content:
            stream.write(b"%s\n%s: " % (before, orjson.dumps(key)))
            before = b","
            if isinstance(value, list | Iterator):
                _save_list(stream, value)
            else:
                stream.write(orjson.dumps(value))
        stream.write(b"{}\n" if before == b"{" else b"\n}\n")


def _save_list(stream: IO[bytes], items: Iterable[Any]) -> None:
    before = b"["
    for item in items:
        stream.write(b"%s\n%s" % (before, orjson.dumps(item)))
        before = b","
    stream.write(b"[]" if before == b"[" else b"\n]")
