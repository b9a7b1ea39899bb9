"""The artifacts are the seed document's, whole, and of one recipe."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from store.analysis.vectors import of_recipe, read_embeddings, read_rows
from store.artifacts import export as exporting
from store.artifacts.export import ExportSummary, export
from store.errors import StoreError
from store.schema import Recipe, Row
from store.table import snapshot
from store.table.store import Store
from tests.support.disks import largest_file
from tests.support.late import late
from tests.support.rows import D, make_row

torch = late("torch")
pytestmark = pytest.mark.model

RECIPE = Recipe("clip A", "whisper A", "clip A, whisper A")
DATA_DIR = "data/Favorites/videos"
FILES = ["labeled_embeddings.pt", "manifest.json", "transcripts.json", "unlabeled_embeddings.pt"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), writer=True)


def write(store: Store, out: Path, **other: Any) -> ExportSummary:
    arguments: dict[str, Any] = {
        "data_dir": DATA_DIR, "recipe": RECIPE, "version": "1.2.3", "models": {"clip": "ViT-B/32"},
    }  # fmt: skip
    return export(store, out, **(arguments | other))


def load(out: Path, name: str) -> Any:
    if name.endswith(".pt"):
        return torch.load(out / name, weights_only=True)
    return json.loads((out / name).read_text(encoding="utf-8"))


def visible(folder: Path) -> list[str]:
    """Names in a folder, without the lock and whatever else is hidden."""
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))


def embedding(row: Row) -> np.ndarray:
    return np.concatenate([row.visual, row.speech])


def test_the_artifacts_of_the_seed_document(store: Store, tmp_path: Path) -> None:
    names = ["soccer/2.mp4", "soccer/1.mp4", "cooking/3.mp4", "b.mp4", "a.mp4", "soccer/x/4.mp4"]
    rows = {name: make_row(name, i) for i, name in enumerate(names)}
    rows["a.mp4"] = make_row("a.mp4", 77, windows=0)
    rows["b.mp4"] = replace(rows["b.mp4"], transcript='"goal" — Straße 北京')
    for row in rows.values():
        store.upsert([row])
    out = tmp_path / "artifacts"
    summary = write(store, out)

    labeled = load(out, "labeled_embeddings.pt")
    assert list(labeled) == ["features", "labels", "label_names", "video_paths"]
    order = ["cooking/3.mp4", "soccer/1.mp4", "soccer/2.mp4", "soccer/x/4.mp4"]
    assert labeled["video_paths"] == [f"{DATA_DIR}/{name}" for name in order]
    assert labeled["label_names"] == ["cooking", "soccer"]
    assert labeled["labels"].dtype == torch.int64
    assert labeled["labels"].tolist() == [0, 1, 1, 1]
    assert labeled["features"].dtype == torch.float32
    np.testing.assert_array_equal(labeled["features"], [embedding(rows[n]) for n in order])

    unlabeled = load(out, "unlabeled_embeddings.pt")
    assert list(unlabeled) == ["features", "video_paths"]
    assert unlabeled["video_paths"] == [f"{DATA_DIR}/a.mp4", f"{DATA_DIR}/b.mp4"]
    expected = [embedding(rows[name]) for name in ("a.mp4", "b.mp4")]
    np.testing.assert_array_equal(unlabeled["features"], expected)

    texts = load(out, "transcripts.json")
    assert list(texts) == [f"{DATA_DIR}/{name}" for name in sorted(names)]
    assert texts[f"{DATA_DIR}/a.mp4"] == ""
    written = (out / "transcripts.json").read_text(encoding="utf-8")
    assert 'videos/b.mp4": "\\"goal\\" — Straße 北京"' in written
    assert len(written.splitlines()) == len(names) + 2

    assert load(out, "manifest.json") == {
        "version": "1.2.3",
        "recipe": {"visual": RECIPE[0], "transcript": RECIPE[1], "speech": RECIPE[2]},
        "models": {"clip": "ViT-B/32"},
        "rows": [
            {
                "path": f"{DATA_DIR}/{n}",
                "content_hash": rows[n].content_hash,
                "label": rows[n].label,
            }
            for n in sorted(names)
        ],
        "left_out": [],
    }
    assert summary == ExportSummary(
        out, (4, 2 * D), (2, 2 * D), {"cooking": 1, "soccer": 3}, left_out=0
    )
    assert summary.transcripts == 6
    assert visible(out) == FILES


def test_many_rows_in_any_order_keep_their_vectors(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_BATCH_ROWS", 150)  # as if they were a million
    rng = np.random.default_rng(0)
    rows = [make_row(f"{i % 7}/{i:05}" if i % 3 else f"{i:05}", i) for i in rng.permutation(1000)]
    for start in range(0, len(rows), 250):
        store.upsert(rows[start : start + 250])
    store.upsert(rows[::10])  # moves them behind the others
    store.remove([row.path for row in rows[1::10]])
    store.upkeep(force=True)
    store.upsert(rows[5::10])
    write(store, tmp_path / "out")
    made = {f"{DATA_DIR}/{row.path}": embedding(row) for row in rows}
    total = 0
    for name in ("labeled_embeddings.pt", "unlabeled_embeddings.pt"):
        data = load(tmp_path / "out", name)
        assert data["video_paths"] == sorted(data["video_paths"])
        expected = [made[path] for path in data["video_paths"]]
        np.testing.assert_array_equal(data["features"], expected)
        assert (tmp_path / "out" / name).stat().st_size < 300 * len(data["video_paths"])
        total += len(expected)
    assert total == 900


def test_a_row_that_is_not_there_is_an_error(store: Store) -> None:
    store.upsert([make_row(f"{i}") for i in range(3)])
    pinned = store.snapshot()
    assert pinned is not None
    rows = read_rows(pinned, [], of_recipe(RECIPE))
    row_ids = np.append(rows.column("_rowid").to_numpy(), np.uint64(99))
    with pytest.raises(StoreError, match="3 of 4 rows could be read"):
        list(read_embeddings(pinned, row_ids))


@pytest.mark.parametrize("made", ["a", "x/a"])
def test_an_empty_set_is_an_empty_tensor(store: Store, tmp_path: Path, made: str) -> None:
    store.upsert([make_row(made)])
    summary = write(store, tmp_path / "out")
    labeled = load(tmp_path / "out", "labeled_embeddings.pt")
    unlabeled = load(tmp_path / "out", "unlabeled_embeddings.pt")
    assert labeled["features"].shape == summary.labeled == (int(made == "x/a"), 2 * D)
    assert unlabeled["features"].shape == summary.unlabeled == (int(made == "a"), 2 * D)
    assert labeled["features"].dtype == unlabeled["features"].dtype == torch.float32
    assert labeled["labels"].dtype == torch.int64
    assert len(load(tmp_path / "out", "transcripts.json")) == 1


def test_nothing_to_export_is_an_error(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(StoreError, match="nothing to export"):
        write(store, out)
    store.upsert([make_row("x/1"), make_row("x/2")])
    write(store, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(StoreError, match="none of 2 videos"):
        write(store, out, recipe=Recipe("clip B", "whisper A", "clip B, whisper A"))
    store.set_offline(["x/1", "x/2"], offline=True)
    with pytest.raises(StoreError, match="none of 2 videos"):
        write(store, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_other_recipes_and_offline_rows_are_named(store: Store, tmp_path: Path) -> None:
    store.upsert(
        [
            make_row("x/1"),
            replace(make_row("y/2"), visual_recipe="clip B", speech_recipe="clip B, whisper A"),
            make_row("x/3"),
        ]
    )
    store.set_offline(["x/3"], offline=True)
    assert write(store, tmp_path).left_out == 2
    offline, other = load(tmp_path, "manifest.json")["left_out"]
    assert offline["path"] == f"{DATA_DIR}/x/3"
    assert offline["why"].startswith("offline")
    assert other["path"] == f"{DATA_DIR}/y/2"
    assert "visual: clip B; speech: clip B, whisper A" in other["why"]
    labeled = load(tmp_path, "labeled_embeddings.pt")
    assert labeled["video_paths"] == [f"{DATA_DIR}/x/1"]
    assert labeled["label_names"] == ["x"]


@pytest.mark.parametrize(
    ("data_dir", "exported"),
    [("data/Favorites/videos/", "data/Favorites/videos/x/1"), ("/abs", "/abs/x/1"), (".", "x/1"),
     ("/", "/x/1"), ("it's 北京", "it's 北京/x/1")],
)  # fmt: skip
def test_paths_begin_with_the_folder_as_configured(
    store: Store, tmp_path: Path, data_dir: str, exported: str
) -> None:
    store.upsert([make_row("x/1")])
    write(store, tmp_path, data_dir=data_dir)
    assert list(load(tmp_path, "transcripts.json")) == [exported]


def test_the_same_rows_give_the_same_bytes(store: Store, tmp_path: Path) -> None:
    store.upsert([make_row(f"x/{i}", i) for i in range(5)])
    write(store, tmp_path / "a")
    write(store, tmp_path / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_a_killed_export_left_is_removed_and_nothing_else(
    store: Store, tmp_path: Path
) -> None:
    mine = tmp_path / ".export-mine"
    mine.mkdir()
    stale = tmp_path / ".unfinished-export"
    stale.mkdir()
    (stale / "labeled_embeddings.pt").write_bytes(b"half")
    (tmp_path / "mine.txt").write_text("mine")
    store.upsert([make_row("x/1")])
    write(store, tmp_path)
    assert visible(tmp_path) == sorted([*FILES, "mine.txt", "store"])
    assert not stale.exists()
    assert mine.exists()


def test_a_snapshot_is_exported_while_the_store_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert([make_row(f"x/{i}", i) for i in range(50)])

    def meanwhile(*arguments: Any) -> pa.Table:
        rows = read_rows(*arguments)
        store.remove([f"x/{i}" for i in range(25)])
        store.upkeep(force=True)
        return rows

    monkeypatch.setattr(exporting, "read_rows", meanwhile)
    assert write(store, tmp_path / "out").labeled == (50, 2 * D)
    monkeypatch.undo()
    assert write(store, tmp_path / "out").labeled == (25, 2 * D)


@pytest.mark.parametrize("limit", [100_000, 320_500], ids=["gathering", "saving"])
def test_a_full_disk_leaves_the_artifacts_as_they_were(
    store: Store, tmp_path: Path, limit: int
) -> None:
    out = tmp_path / "out"
    store.upsert([make_row("x/1", d=2000)])
    write(store, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    store.upsert([make_row(f"x/{i}", i, d=2000) for i in range(20)])
    full = f"{re.escape(str(out))}: the export cannot be written: .*make room"
    with largest_file(limit), pytest.raises(StoreError, match=f"(?s){full}"):
        write(store, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_folder_that_cannot_be_one(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store.upsert([make_row("x/1")])
    with pytest.raises(StoreError, match="file: the export cannot be written"):
        write(store, tmp_path / "file")
