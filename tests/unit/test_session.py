"""The door for Python: what the command line finds and exports, with a line each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline import PipelineError, Session, SettingsError
from pipeline.search.question import RemarkKind
from tests.support.clusters import Clusters, fill
from tests.support.late import late
from tests.support.meaning.collection import Known
from tests.support.program import Run
from tests.support.projects import UserProject

torch = late("torch")


@pytest.fixture
def session(known: Known) -> Iterator[Session]:
    with pipeline.open(known.project.config) as session:
        yield session


def test_a_search_finds_what_the_command_line_finds(
    session: Session, known: Known, run: Run
) -> None:
    found = session.search("a red star", label="star", k=3)
    asked = run(
        "--config", known.project.config, "query", "--text", "a red star", "--label", "star",
        "-k", "3", "--json",
    )  # fmt: skip
    assert [hit.path for hit in found] == [hit["path"] for hit in json.loads(asked.stdout)]
    assert len(found) == 3
    frame = found.to_pandas()
    assert frame.path.tolist() == found.to_arrow()["path"].to_pylist()
    assert frame.path[0] == found[0].path
    assert frame.label.tolist() == ["star"] * 3


def test_hits_can_be_asked_with_and_are_not_among_their_own_hits(
    session: Session, known: Known, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (first,) = session.search(label="star", words="country", nearest=True, k=1)
    key = first.path.removeprefix("videos/")
    expected = [hit.path for hit in session.search(video=first.path)]
    assert len(expected) == 10
    assert first.path not in expected
    monkeypatch.chdir(tmp_path)
    for named in (known.project.videos / key, key):
        assert [hit.path for hit in session.search(video=named)] == expected


def test_a_remark_says_why_nothing_is_found(session: Session) -> None:
    found = session.search("a red star", label="nowhere")
    assert (len(found), found.to_arrow().num_rows) == (0, 0)
    assert found.remark is not None
    assert found.remark.kind == RemarkKind.NO_SUCH_LABEL


def test_wrong_arguments_are_errors(session: Session) -> None:
    with pytest.raises(SettingsError, match="give a text, an image, a video or words"):
        session.search(label="star")
    with pytest.raises(SettingsError, match="no such file"):
        session.search(video="nowhere.mp4")
    with pytest.raises(ValueError, match="picture, speech or both"):
        session.search("x", places="sound")
    with pytest.raises(ValueError, match="1 or more"):
        session.search("x", k=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        session.training_data(split=1)


def test_training_data_is_what_an_export_holds(session: Session, tmp_path: Path) -> None:
    data = session.training_data(split=0.7)
    written = session.export(tmp_path / "out", split=0.7, subtitles=tmp_path / "words")
    labeled = torch.load(tmp_path / "out/labeled_embeddings.pt", weights_only=True)
    np.testing.assert_array_equal(data.X, labeled["features"])
    np.testing.assert_array_equal(data.y, labeled["labels"])
    assert data.y.dtype == np.int64
    assert list(data.names) == labeled["label_names"]
    assert list(data.paths) == labeled["video_paths"]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert np.array(data.paths)[data.trains].tolist() == manifest["split"]["train"]
    unlabeled = torch.load(tmp_path / "out/unlabeled_embeddings.pt", weights_only=True)
    np.testing.assert_array_equal(data.X_unlabeled, unlabeled["features"])
    assert list(data.unlabeled_paths) == unlabeled["video_paths"]
    assert written.artifacts.labeled == data.X.shape
    assert written.subtitles is not None
    assert len([*(tmp_path / "words").rglob("*.vtt")]) == written.subtitles.written > 0


def test_a_network_trains_on_the_files_as_they_are(session: Session, tmp_path: Path) -> None:
    """In the form of the recipe that the files are named after: tensors in, label names out."""
    session.export(tmp_path)
    data = torch.load(tmp_path / "labeled_embeddings.pt")
    torch.manual_seed(0)
    network = torch.nn.Linear(data["features"].shape[1], len(data["label_names"]))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    batches = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data["features"], data["labels"]), 16, shuffle=True
    )
    for _ in range(20):
        for features, labels in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(features), labels).backward()
            optimizer.step()
    named = [data["label_names"][i] for i in network(data["features"]).argmax(1)]
    folders = [path.split("/")[-2] for path in data["video_paths"]]
    assert np.mean([a == b for a, b in zip(named, folders, strict=True)]) > 0.8
    assert torch.bincount(data["labels"]).sum() == len(data["video_paths"])
    new = torch.load(tmp_path / "unlabeled_embeddings.pt")
    assert network(new["features"]).shape[0] == len(new["video_paths"])


def test_a_store_opens_with_the_paths_of_its_last_scan(
    known: Known, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEO_VECTORS_CONFIG", str(known.project.config))
    expected = [hit.path for hit in session.search(words="country")]
    with pipeline.open(known.project.store) as by_store, pipeline.open() as by_default:
        for each in (by_store, by_default):
            assert [hit.path for hit in each.search(words="country")] == expected
    monkeypatch.delenv("VIDEO_VECTORS_CONFIG")
    with pipeline.open(str(known.project.store)) as other:  # the program's own configuration
        assert [hit.path for hit in other.search(words="country")] == expected


def test_without_labels_there_is_nothing_to_train_with(
    new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    fill(project, [Clusters().row("a.mp4", 0, 0)])
    with (
        pipeline.open(project.config) as session,
        pytest.raises(PipelineError, match="no labeled video"),
    ):
        session.training_data()


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        pipeline.open(tmp_path / "nowhere.toml")
