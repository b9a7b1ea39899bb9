"""The split keeps copies together, the formats say the same, subtitles are what players read."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.analysis.duplicates import duplicate_groups
from store.artifacts import formats
from store.artifacts.export import export
from store.artifacts.split import split
from store.artifacts.subtitles import SubtitlesSummary, srt, timestamp, vtt, write_subtitles
from store.schema import Recipe, Row, Segment
from store.table.store import Store
from tests.support.clusters import Clusters, fill, jpeg, vectors_of
from tests.support.late import late
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.rows import D, make_row

torch = late("torch")

RECIPE = Recipe("clip A", "whisper A", "clip A, whisper A")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), writer=True)


def write(store: Store, out: Path, **other: Any) -> Any:
    return export(store, out, data_dir="v", recipe=RECIPE, version="1", models={}, **other)


collections = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 15)), max_size=60
)


@given(collections, st.floats(0.05, 0.95))
def test_a_split_is_whole_stratified_and_reproducible(
    videos: list[tuple[str, int, int]], share: float
) -> None:
    labels = [label for label, _, _ in videos]
    hashes = [f"hash {content}" for _, content, _ in videos]
    # A content is in one group only.
    groups = np.array([content % 16 for _, content, _ in videos], np.int64)
    trains = split(labels, hashes, groups, share)
    for group in set(groups.tolist()):
        assert len(set(trains[groups == group].tolist())) == 1
    order = np.random.default_rng(0).permutation(len(videos))
    again = split([labels[i] for i in order], [hashes[i] for i in order], groups[order], share)
    np.testing.assert_array_equal(again, trains[order])


@given(st.integers(2, 200), st.integers(2, 50), st.floats(0.1, 0.9))
def test_each_label_has_its_share(many: int, few: int, share: float) -> None:
    labels = ["many"] * many + ["few"] * few
    hashes = [str(i) for i in range(many + few)]
    trains = split(labels, hashes, np.arange(many + few), share)
    for n, mine in ((many, trains[:many]), (few, trains[many:])):
        assert abs(mine.sum() - share * n) <= 1
        assert 0 < mine.sum() < n


def test_near_copies_are_groups_and_others_are_not(tmp_path: Path) -> None:
    clusters = Clusters(1)
    rows = [clusters.row(f"{c}/{i}", c, i) for c in range(4) for i in range(8)]
    rows += [clusters.near(row, f"{row.path}-again") for row in rows[::5]]
    rows += [replace(row, path=f"{row.path}-same") for row in rows[::7]]
    vectors = vectors_of(tmp_path, rows)
    groups = dict(zip(vectors.paths, duplicate_groups(vectors).tolist(), strict=True))
    for path, group in groups.items():
        assert group == groups[path.partition("-")[0]]
    assert len(set(groups.values())) == 32


def test_the_same_things_in_another_picture_are_no_copy(tmp_path: Path) -> None:
    clusters = Clusters(1)
    rows = [clusters.row(f"{i}.mp4", i, 0) for i in range(8)]
    other = replace(clusters.near(rows[0], "other.mp4"), thumbnail=jpeg(3))
    unseen = replace(clusters.near(rows[1], "unseen.mp4"), thumbnail=b"no picture")
    muted = replace(clusters.near(rows[2], "muted.mp4"), speech=np.zeros_like(rows[2].speech))
    said = clusters.row("x", 7, 1).speech
    dubbed = replace(clusters.near(rows[3], "dubbed.mp4"), speech=said)
    vectors = vectors_of(tmp_path, [*rows, other, unseen, muted, dubbed])
    groups = dict(zip(vectors.paths, duplicate_groups(vectors).tolist(), strict=True))
    assert groups["muted.mp4"] == groups["2.mp4"]
    assert len(set(groups.values())) == 11


@pytest.mark.model
def test_the_split_is_in_the_manifest(store: Store, tmp_path: Path) -> None:
    clusters = Clusters(2)
    rows = [clusters.row(f"{label}/{i}", c, i) for c, label in enumerate("ab") for i in range(10)]
    rows.append(clusters.near(rows[0], "b/again"))
    store.upsert([*rows, clusters.row("loose", 0, 99)])
    summary = write(store, tmp_path / "out", train_share=0.8)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    train, validation = manifest["split"]["train"], manifest["split"]["validation"]
    assert summary.split == (len(train), len(validation))
    assert sorted(train + validation) == sorted(f"v/{row.path}" for row in rows)
    assert Counter(path[2] for path in validation) == {"a": 2, "b": 2}
    assert ("v/a/0" in train) == ("v/b/again" in train)
    write(store, tmp_path / "out")
    assert "split" not in json.loads((tmp_path / "out/manifest.json").read_text())


@pytest.mark.model
def test_every_format_says_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_BLOCK_ROWS", 2)  # as if they were thousands
    rows = [make_row(path, i) for i, path in enumerate(("b/'é.mp4", "a/2", "3", "b/4"))]
    rows[0] = replace(rows[0], transcript='a "quote", a comma\nand a line')
    store.upsert(rows)
    write(store, tmp_path, formats=["parquet", "npz", "csv"], train_share=0.5)
    split = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["split"]
    row_of = {f"v/{row.path}": row for row in rows}
    for name in ("labeled_embeddings", "unlabeled_embeddings"):
        pt = torch.load(tmp_path / f"{name}.pt", weights_only=True, mmap=True)
        npz = np.load(tmp_path / f"{name}.npz")
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert list(npz) == list(pt)
        np.testing.assert_array_equal(npz["features"], pt["features"])
        np.testing.assert_array_equal(np.stack(table["features"].to_numpy()), pt["features"])
        assert npz["video_paths"].tolist() == table["video_path"].to_pylist() == pt["video_paths"]
        assert pt["features"].dtype == torch.float32
        for each in table.to_pylist():
            row = row_of[each["video_path"]]
            about = (each["transcript"], each["content_hash"], each["duration_seconds"])
            assert about == (row.transcript, row.content_hash, row.duration_seconds)
        if name == "labeled_embeddings":
            assert pt["labels"].dtype == torch.int64
            assert table["label_index"].to_pylist() == pt["labels"].tolist() == [0, 1, 1]
            assert table["label"].to_pylist() == ["a", "b", "b"]
            assert npz["label_names"].tolist() == pt["label_names"]
            for side in ("train", "validation"):
                its = table.filter(pc.equal(table["split"], side))
                assert its["video_path"].to_pylist() == split[side]
        npz.close()
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            listed = list(csv.DictReader(stream))
        plain = table.drop_columns(["features"]).to_pylist()
        assert listed == [{key: str(value) for key, value in each.items()} for each in plain]


@pytest.mark.model
def test_without_a_split_no_video_is_on_a_side(store: Store, tmp_path: Path) -> None:
    store.upsert([make_row("a/1")])
    write(store, tmp_path, formats=["parquet"])
    (row,) = pq.read_table(tmp_path / "labeled_embeddings.parquet").to_pylist()
    assert row["split"] is None


@pytest.mark.model
def test_a_part_without_videos_has_every_format(store: Store, tmp_path: Path) -> None:
    store.upsert([make_row("a")])
    write(store, tmp_path, formats=["parquet", "npz", "csv"], train_share=0.5)
    labeled = pq.read_table(tmp_path / "labeled_embeddings.parquet")
    assert (labeled.num_rows, labeled.column_names[:4]) == (
        0, ["video_path", "label", "label_index", "split"],
    )  # fmt: skip
    with np.load(tmp_path / "labeled_embeddings.npz") as arrays:
        assert arrays["features"].shape == (0, 2 * D)


@pytest.mark.model
def test_files_of_an_earlier_export_are_named(store: Store, tmp_path: Path) -> None:
    store.upsert([make_row("a/1")])
    write(store, tmp_path, formats=["npz"])
    assert write(store, tmp_path).stale == ("labeled_embeddings.npz", "unlabeled_embeddings.npz")


SPOKEN = (
    Segment(0.0, 1.2345, "first <b>& last</b>"),
    Segment(3599.9996, 3600.5, "over\n\nan hour --> here"),
    Segment(5.0, 5.0, "at once"),
    Segment(6.0, 7.0, "  "),
)


def test_srt() -> None:
    assert srt(SPOKEN) == (
        "1\n00:00:00,000 --> 00:00:01,234\nfirst <b>& last</b>\n\n"
        "2\n01:00:00,000 --> 01:00:00,500\nover an hour -> here\n\n"
        "3\n00:00:05,000 --> 00:00:05,001\nat once\n"
    )


def test_vtt() -> None:
    assert vtt(SPOKEN) == (
        "WEBVTT\n"
        "\n00:00:00.000 --> 00:00:01.234\nfirst &lt;b&gt;&amp; last&lt;/b&gt;\n"
        "\n01:00:00.000 --> 01:00:00.500\nover an hour --&gt; here\n"
        "\n00:00:05.000 --> 00:00:05.001\nat once\n"
    )


@given(st.integers(0, 10**9))
def test_timestamps_count_back(milliseconds: int) -> None:
    hours, minutes, seconds, rest = map(int, re.split(r"[:,]", timestamp(milliseconds, ",")))
    assert minutes < 60
    assert seconds < 60
    assert ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest == milliseconds


def spoken(path: str, *segments: Segment) -> Row:
    return replace(make_row(path, windows=2 if segments else 0), segments=segments)


def test_subtitles_lie_as_the_videos_do(store: Store, tmp_path: Path) -> None:
    one = Segment(0.0, 1.0, "straße 北京")
    store.upsert(
        [spoken("x/y/1.mp4", one), spoken("2.mp4", one), spoken("2.mov", one), spoken("3.mp4")]
    )
    out = tmp_path / "subtitles"
    for _ in range(2):
        assert write_subtitles(store, out, recipe=RECIPE) == SubtitlesSummary(3, ())
    names = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file())
    assert names == [
        "2.mov.srt", "2.mov.vtt", "2.mp4.srt", "2.mp4.vtt", "x/y/1.srt", "x/y/1.vtt",
    ]  # fmt: skip
    assert "straße 北京" in (out / "x/y/1.vtt").read_text(encoding="utf-8")


def test_each_video_has_subtitles_of_its_own_and_others_are_named(
    store: Store, tmp_path: Path
) -> None:
    names = ["1.mp4", "1.mkv", "1.mp4.mkv", "2.mp4", "3.mp4", "a.b/1.mov"]
    store.upsert(spoken(name, Segment(0.0, 1.0, f"in {name}")) for name in names)
    (tmp_path / "words").mkdir()
    (tmp_path / "words/mine.srt").write_text("my own")
    summary = write_subtitles(store, tmp_path / "words", recipe=RECIPE)
    assert summary == SubtitlesSummary(6, ("mine.srt",))
    made = {f: f.read_text() for f in (tmp_path / "words").rglob("*.vtt")}
    assert len(made) == len(names)
    assert all(sum(f"in {name}\n" in text for text in made.values()) == 1 for name in names)

    store.remove(["2.mp4"])
    store.upsert([spoken("3.mp4")])  # nobody speaks in it any more
    store.set_offline(["1.mkv"], offline=True)
    summary = write_subtitles(store, tmp_path / "words", recipe=RECIPE)
    assert summary == SubtitlesSummary(3, ("2.srt", "2.vtt", "3.srt", "3.vtt", "mine.srt"))
    assert (tmp_path / "words/2.srt").exists()


def test_names_that_are_too_long_are_cut_and_stay_apart(store: Store, tmp_path: Path) -> None:
    """A file name has at most 255 bytes, with `.srt` behind it, too."""
    long = "x" + "é" * 125  # 251 bytes: with .mp4 as long as a name can be
    names = [f"{long}.mp4", f"{long}.mkv", f"a/{long}é.x", f"a/{long}é.y", "short.mp4"]
    store.upsert(spoken(name, Segment(0.0, 1.0, f"in {name}")) for name in names)
    for _ in range(2):
        assert write_subtitles(store, tmp_path, recipe=RECIPE) == SubtitlesSummary(5, ())
    made = [file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.srt")]
    assert all(sum(f"in {name}\n" in text for text in made) == 1 for name in names)


@pytest.mark.model
def test_the_command(tmp_path: Path, run: Run, small_clip_dir: Path, whisper_dir: Path) -> None:
    project = UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)
    fill(project, [Clusters().row(f"{c}/{i}.mp4", c, i) for c in range(2) for i in range(5)])
    done = run(
        "--config", project.config, "export", "--json", "--split", "0.8", "--format", "npz",
        "--subtitles", tmp_path / "words",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["split"] == {"train": 8, "validation": 2}
    assert document["subtitles"] == 10
    assert (project.folder / "artifacts/labeled_embeddings.npz").is_file()
    assert (tmp_path / "words/1/4.srt").is_file()
    assert run("--config", project.config, "export", "--split", "1").returncode == 2
