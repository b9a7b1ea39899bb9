"""What was learned is used again, follows changes, and is never trusted where it is damaged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labels import features as features_module
from pipeline.labels.advice import Advice
from pipeline.labels.check import check_folders
from pipeline.labels.features import Features
from pipeline.labels.folder_model import FolderModel, LearnedClips
from pipeline.labels.judgement import Judgement
from pipeline.labels.landing import LandingAdvice
from pipeline.labels.suggest import suggest_folders
from pipeline.plot import plot as plot_module
from pipeline.plot.layout import Plane
from pipeline.plot.places import place_videos
from pipeline.plot.plot import plot_collection
from pipeline.project import Project
from store.analysis.kept import FOLDER
from store.schema import Row
from tests.support.clusters import Clusters, fill, settings_of, vectors_of
from tests.support.projects import UserProject

FOLDERS = ("cooking", "pets", "soccer", "travel")
SOME = 6  # videos of each


def collection(clusters: Clusters, each: int = 8) -> list[Row]:
    return [
        clusters.row(f"{folder}{number}.mp4", cluster, number)
        for cluster, name in enumerate(FOLDERS)
        for number in range(each)
        for folder in ([f"{name}/"] if number < each - 2 else [f"{name}-"])
    ]


@dataclass(frozen=True)
class Answered:
    """A collection of which all tools have learned, and what they said."""

    project: UserProject
    said: list[Any]


@pytest.fixture(scope="module")
def answered(
    new_project: Callable[..., UserProject], tmp_path_factory: pytest.TempPathFactory
) -> Answered:
    """Do not change it."""
    made = new_project(tmp_path_factory.mktemp("answered") / "project")
    fill(made, collection(Clusters(5)))
    with Project.open(settings_of(made)) as project:
        return Answered(made, answers(project))


@pytest.fixture
def filled(answered: Answered, tmp_path: Path) -> UserProject:
    """A copy of it."""
    return answered.project.copied(tmp_path / "project")


@pytest.fixture
def opened(filled: UserProject) -> Iterator[Project]:
    with Project.open(settings_of(filled)) as project:
        yield project


@pytest.fixture
def follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small collections follow changes, too, however many."""
    monkeypatch.setattr(features_module, "FEW", 0)
    monkeypatch.setattr(features_module, "CHANGED_SHARE", 0.5)


def ask(project: Project) -> Advice:
    return suggest_folders(project, 0.8, lambda text: None)


def answers(project: Project) -> list[Any]:
    """What all three tools say."""
    points = place_videos(project).points.tolist()
    return [ask(project).as_document(str), check_folders(project), points]


def forbidden(*_: Any) -> Any:
    raise AssertionError("this was learned before")


def forbid_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in (
        (FolderModel, "learn"), (Judgement, "make"), (Plane, "fit"), (Features, "learn"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, forbidden)


def test_while_nothing_changed_nothing_is_learned(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_learning(monkeypatch)
    monkeypatch.setattr(Features, "read", forbidden)
    with Project.open(settings_of(answered.project)) as again:
        assert answers(again) == answered.said


@pytest.mark.parametrize("name", ["plot.png", "plot.html"])
def test_a_plot_is_drawn_once_until_a_row_or_its_place_changes(
    filled: UserProject, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(place: str) -> bytes:
        with Project.open(settings_of(filled)) as project:
            plot_collection(project, tmp_path / place / name, lambda text: None)
        return (tmp_path / place / name).read_bytes()

    first = draw("plots")
    with monkeypatch.context() as patch:
        patch.setattr(plot_module, "place_videos", forbidden)
        assert draw("plots") == first
        assert name.endswith(".png") or _link(first) == "./../project/videos/"
    # A page links to the videos from where it is.
    assert name.endswith(".png") or _link(draw("more/plots")) == "./../../project/videos/"
    fill(filled, [Clusters(5).row("pets/new.mp4", 1, 50)])
    assert draw("plots") != first


def _link(page: bytes) -> str:
    found = re.search(rb'"link":"([^"]*)"', page)
    assert found
    return found[1].decode()


def test_videos_that_come_and_move_are_followed(
    filled: UserProject, monkeypatch: pytest.MonkeyPatch, follows: None
) -> None:
    clusters = Clusters(5)
    moved = clusters.row("pets/moved.mp4", 1, 6)  # was unlabeled
    new = clusters.row("new.mp4", 2, 50)
    wrong = clusters.row("travel/wrong.mp4", 0, 51)
    fill(filled, [moved, new, wrong])
    forbid_learning(monkeypatch)
    with Project.open(settings_of(filled)) as later:
        advice, found = ask(later), check_folders(later)
    guess = {each.path: each.guess for each in advice.suggestions}
    assert guess["new.mp4"] == "soccer"
    assert "change" in (advice.remark or "")
    assert {each.path: each.looks_like for each in found.misplaced} == {
        "travel/wrong.mp4": "cooking"
    }


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    rows = collection(Clusters(5), each=SOME)
    return Features.of(vectors_of(tmp_path_factory.mktemp("store"), rows))


some_rows = st.sets(st.integers(0, len(FOLDERS) * SOME - 1), min_size=1)


@given(before=some_rows, after=some_rows)
def test_sums_that_followed_are_those_of_all(
    features: Features, before: set[int], after: set[int]
) -> None:
    clips = features.clips
    some, others = (clips.select(np.isin(clips.rows, sorted(chosen))) for chosen in (before, after))
    followed = LearnedClips.of(features, some).updated(features, others)
    fresh = LearnedClips.of(features, others)
    assert followed is not None
    assert followed.keys.tolist() == fresh.keys.tolist()
    for name in ("counts", "sums", "outer"):
        made, wanted = getattr(followed.moments, name), getattr(fresh.moments, name)
        np.testing.assert_allclose(made, wanted, atol=1e-6)
    arrays = LearnedClips.from_arrays(followed.to_arrays())
    assert (arrays.names, arrays.space) == (followed.names, followed.space)
    assert arrays.keys.tolist() == followed.keys.tolist()


def test_a_damaged_answer_is_made_again_and_the_log_says_so(
    answered: Answered, filled: UserProject, caplog: pytest.LogCaptureFixture
) -> None:
    for subject in ("suggestions", "check", "places"):
        cut(filled.store / FOLDER / f"{subject}.npz")
        caplog.clear()
        with Project.open(settings_of(filled)) as project:
            assert answers(project) == answered.said
        assert "made again" in caplog.text


def test_damage_of_what_answers_rest_on_is_noticed_when_something_changes(
    filled: UserProject, caplog: pytest.LogCaptureFixture, follows: None
) -> None:
    for number, subject in enumerate(("contents", "folder_model", "judgement")):
        cut(filled.store / FOLDER / f"{subject}.npz")
        caplog.clear()
        fill(filled, [Clusters(5).row(f"new{number}.mp4", 2, 50 + number)])
        with Project.open(settings_of(filled)) as project:
            guess = {each.path: each.guess for each in ask(project).suggestions}
            check_folders(project)
        assert guess[f"new{number}.mp4"] == "soccer"
        assert "made again" in caplog.text


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def test_damaged_vectors_are_noticed_when_they_are_used(
    filled: UserProject, caplog: pytest.LogCaptureFixture, follows: None
) -> None:
    (file,) = (filled.store / FOLDER).glob("contents-*.npy")
    content = bytearray(file.read_bytes())
    content[-100] ^= 64
    file.write_bytes(content)
    fill(filled, [replace(row, path=f"pets/{row.path}", label="pets")
                  for row in collection(Clusters(5)) if row.path == "pets-6.mp4"])  # fmt: skip
    with Project.open(settings_of(filled)) as later:
        found = ask(later)
    assert "damaged" in caplog.text
    assert all(each.guess == each.path.partition("-")[0] for each in found.suggestions)


def test_any_number_may_ask_at_a_time(filled: UserProject) -> None:
    shutil.rmtree(filled.store / FOLDER)

    def answer(_: int) -> Any:
        with Project.open(settings_of(filled)) as project:
            return ask(project).as_document(str)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, range(4)))
    assert all(each == found[0] for each in found)
    assert not [*(filled.store / FOLDER).glob(".new*")]


def test_a_video_that_lands_is_told_where_it_belongs(opened: Project, filled: UserProject) -> None:
    said: list[tuple[str, str]] = []
    advice = LandingAdvice(
        opened.store, opened.recipe, 0.8, lambda path, folder, _: said.append((path, folder))
    )
    clusters = Clusters(5)
    rows = [clusters.row("a.mp4", 1, 70), clusters.row("strange.mp4", 40, 71)]
    landed = {row.path: np.concatenate([row.visual, row.speech]) for row in rows}
    kept, away = filled.store / FOLDER, filled.store / "away"
    kept.rename(away)
    advice(landed)
    assert said == []  # nothing was learned yet
    away.rename(kept)
    advice(landed)
    assert said == [("a.mp4", "pets")]


def test_a_watch_goes_on_where_what_was_learned_is_damaged(
    opened: Project, filled: UserProject, caplog: pytest.LogCaptureFixture
) -> None:
    for file in (filled.store / FOLDER).glob("*.npz"):
        cut(file)
    said: list[str] = []
    advice = LandingAdvice(opened.store, opened.recipe, 0.8, lambda path, *_: said.append(path))
    row = Clusters(5).row("a.mp4", 1, 70)
    landed = {row.path: np.concatenate([row.visual, row.speech])}
    advice(landed)
    assert said == []
    assert "made again" in caplog.text
    ask(opened)  # as the page, or a person, does some day
    advice(landed)
    assert said == ["a.mp4"]
