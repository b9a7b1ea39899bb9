"""A suggestion is right when it is made, says why, and moves files without harm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.labels.advice import Advice, Suggestion
from pipeline.labels.folder_names import EncodeTexts
from pipeline.labels.suggest import suggest
from store.schema import Row
from store.table.store import Store
from tests.support.clusters import Clusters, D, fill, in_memory
from tests.support.program import Run
from tests.support.projects import UserProject

FOLDERS = ("cooking", "pets", "soccer", "travel")
CONFIDENCE = 0.8


def no_clip() -> EncodeTexts:
    raise AssertionError("CLIP is not needed")


def collection(clusters: Clusters, each: int, unlabeled: int, strangers: int = 0) -> list[Row]:
    """`each` labeled videos a folder; unlabeled ones `FOLDER-NUMBER.mp4`, strangers `none-...`."""
    rows = [
        clusters.row(f"{name}/{number}.mp4", cluster, number, spoken=number % 3 > 0)
        for cluster, name in enumerate(FOLDERS)
        for number in range(each)
    ]
    rows += [
        clusters.row(f"{name}-{number}.mp4", cluster, 1000 + number, spoken=number % 3 > 0)
        for cluster, name in enumerate(FOLDERS)
        for number in range(unlabeled)
    ]
    return rows + [clusters.row(f"none-{i}.mp4", 50 + i % 4, i) for i in range(strangers)]


def right(each: Suggestion) -> bool:
    return each.label == each.path.partition("-")[0]


@pytest.mark.parametrize(("noise", "answered_at_least"), [(1.0, 0.9), (2.0, 0.3), (4.0, 0.0)])
def test_what_is_suggested_is_right_or_nothing_is(noise: float, answered_at_least: float) -> None:
    rows = collection(Clusters(1, noise), each=12, unlabeled=12, strangers=12)
    advice = suggest(in_memory(rows), FOLDERS, no_clip, CONFIDENCE)
    known = [each for each in advice.suggestions if not each.path.startswith("none")]
    answered = [each for each in advice.suggestions if each.label]
    assert len(advice.suggestions) == 60
    assert sum(map(right, answered)) >= 0.9 * len(answered)
    assert sum(each.label is not None for each in known) >= answered_at_least * len(known)
    measured = advice.leave_one_out
    assert measured.videos == 48
    assert measured.right >= 0.85 * measured.answered


def test_the_neighbours_that_speak_for_it_are_named() -> None:
    rows = collection(Clusters(2), each=6, unlabeled=1)
    for each in suggest(in_memory(rows), FOLDERS, no_clip, CONFIDENCE).suggestions:
        scores = [neighbour.score for neighbour in each.neighbours]
        assert 1 <= len(scores) <= 3
        assert scores == sorted(scores, reverse=True)
        assert {neighbour.label for neighbour in each.neighbours} == {each.guess}
        assert all(n.path.startswith(f"{each.guess}/") for n in each.neighbours)


def test_a_suggestion_is_the_same_alone_among_all_and_as_json() -> None:
    rows = collection(Clusters(2), each=6, unlabeled=3, strangers=2)
    advice = suggest(in_memory(rows), FOLDERS, no_clip, CONFIDENCE)
    every = list(advice.suggestions)
    assert [advice.suggestions[place] for place in range(len(every))] == every
    assert advice.suggestions[-1] == every[-1]
    assert advice.suggestions[3:7] == every[3:7]
    documents = advice.as_document(str)["suggestions"]
    for each, document in zip(every, documents, strict=True):
        fields = json.loads(json.dumps(asdict(each)))
        assert fields.pop("content_hash") in {row.content_hash for row in rows}
        assert document == fields
    assert [each.guess for each in every] == advice.suggestions.folders


def test_confidence_is_the_share_of_right_guesses() -> None:
    found: list[Suggestion] = []
    for seed in range(2):
        rows = collection(Clusters(10 + seed, 2.5), each=20, unlabeled=20)
        vectors = in_memory(rows)
        found += suggest(vectors, FOLDERS, no_clip, 0.0).suggestions
    # Every one has a place in these folders, of which the confidence cannot know.
    mean = np.mean([each.confidence for each in found])
    assert np.mean(list(map(right, found))) == pytest.approx(mean, abs=0.17)
    sure = [right(each) for each in found if each.confidence >= 0.9]
    assert np.mean(sure) >= 0.9


def names_as_vectors(texts: Sequence[str]) -> np.ndarray:
    """Texts to the centre of the folder that they name."""
    order = (*FOLDERS, "chess")
    clusters = Clusters(3)
    rows = [next((i for i, name in enumerate(order) if name in text), len(order)) for text in texts]
    halves = [sum(clusters.row("x", row, n).visual for n in range(100, 120)) for row in rows]
    return np.stack([half / np.linalg.norm(half) for half in halves]).astype(np.float32)


def test_a_new_folder_is_known_by_its_name() -> None:
    clusters = Clusters(3)
    rows = collection(clusters, each=8, unlabeled=2)
    rows += [clusters.row(f"chess-{i}.mp4", 4, i, spoken=False) for i in range(3)]
    vectors = in_memory(rows)
    advice = suggest(vectors, [*FOLDERS, "chess"], lambda: names_as_vectors, 0.5)
    chess = [each for each in advice.suggestions if each.path.startswith("chess")]
    assert [(each.label, each.by) for each in chess] == [("chess", "name")] * 3
    assert advice.by_name is not None
    assert advice.by_name.videos == 32
    assert 0.9 * advice.by_name.answered <= advice.by_name.right > 20
    others = [each for each in advice.suggestions if not each.path.startswith("chess")]
    assert {each.by for each in others} == {"neighbours"}


TINY: list[list[str]] = [
    ["a.mp4"],
    ["a.mp4", "b.mp4"],
    ["x/1.mp4"],
    ["a.mp4", "x/1.mp4"],
    ["a.mp4", "x/1.mp4", "y/2.mp4"],
    ["a.mp4", "x/1.mp4", "x/2.mp4", "x/3.mp4"],
]


def random_texts(texts: Sequence[str]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((len(texts), D)).astype(np.float32)


@pytest.mark.parametrize("paths", TINY)
@pytest.mark.parametrize("same", [False, True])
def test_a_tiny_collection_is_no_reason_to_be_sure(paths: list[str], same: bool) -> None:
    rows = [Clusters().row(path, 0, 0 if same else i) for i, path in enumerate(paths)]
    labels = sorted({path.partition("/")[0] for path in paths if "/" in path})
    advice = suggest(in_memory(rows), labels, lambda: random_texts, CONFIDENCE)
    assert isinstance(advice, Advice)
    assert [each.path for each in advice.suggestions] == [p for p in paths if "/" not in p]
    # But the very same clip in one folder is one.
    known = "x" if same and labels == ["x"] else None
    assert {each.label for each in advice.suggestions} <= {known}


@pytest.fixture(scope="module")
def filled(
    new_project: Callable[..., UserProject], tmp_path_factory: pytest.TempPathFactory
) -> UserProject:
    """A project whose rows are made up: no model can have run where they are still there."""
    project = new_project(tmp_path_factory.mktemp("filled") / "project")
    fill(project, collection(Clusters(4), each=6, unlabeled=2))
    return project


@pytest.fixture
def project(filled: UserProject, tmp_path: Path) -> UserProject:
    return filled.copied(tmp_path / "project")


def rows_of(project: UserProject) -> dict[str, Row]:
    with Store.open(str(project.store)) as store:
        return store.rows(store.known())


def test_move_and_undo(project: UserProject, run: Run) -> None:
    before = rows_of(project)
    taken = project.videos / "pets" / "pets-0.mp4"
    taken.write_text("another video")
    moved = run("--config", project.config, "suggest", "--move", "--json")
    assert moved.returncode == 0, moved.stderr
    document = json.loads(moved.stdout)
    assert document["leave_one_out"]["accuracy"] == 1
    gone = {each["from"].removeprefix("videos/") for each in document["moved"]}
    assert gone == {f"{name}-{i}.mp4" for name in FOLDERS for i in (0, 1)} - {"pets-0.mp4"}
    assert "left pets-0.mp4: there is a pets/pets-0.mp4 already" in moved.stderr
    assert "soccer-1.mp4 -> soccer/soccer-1.mp4" in moved.stderr
    assert taken.read_text() == "another video"
    assert (project.videos / "pets-0.mp4").exists()
    after = rows_of(project)
    assert after.keys() == (before.keys() - gone) | {f"{p.partition('-')[0]}/{p}" for p in gone}
    assert after["soccer/soccer-1.mp4"].label == "soccer"
    np.testing.assert_array_equal(
        after["soccer/soccer-1.mp4"].visual, before["soccer-1.mp4"].visual
    )

    back = run("--config", project.config, "suggest", "--undo", "--json")
    assert back.returncode == 0, back.stderr
    assert len(json.loads(back.stdout)["moved"]) == len(gone)
    assert rows_of(project).keys() == before.keys()
    assert all((project.videos / path).exists() for path in before)
    assert "no --move to take back" in run("--config", project.config, "suggest", "--undo").stderr


def test_beside_a_writer_the_files_move_and_the_writer_follows(
    project: UserProject, run: Run
) -> None:
    with Store.open(str(project.store), writer=True):
        moved = run("--config", project.config, "suggest", "--move")
    assert moved.returncode == 0, moved.stderr
    assert f"process {os.getpid()} is writing the store" in moved.stderr
    assert (project.videos / "soccer" / "soccer-1.mp4").exists()


def test_confidence_from_the_command_line(filled: UserProject, run: Run) -> None:
    told = run("--config", filled.config, "suggest", "--min-confidence", "1")
    assert told.returncode == 0, told.stderr
    assert "tried on 24 labeled videos: 0 answers (100% sure)." in told.stderr
    assert run("--config", filled.config, "suggest", "--min-confidence", "2").returncode == 2
