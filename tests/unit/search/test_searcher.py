"""What a question finds, and what a person has to know beside it. No model is loaded here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from unicodedata import normalize

import pytest

from pipeline.decode.content import content_hash
from pipeline.errors import SettingsError
from pipeline.project import Project
from pipeline.search.question import Answer, Question, RemarkKind
from pipeline.search.searcher import Searcher
from store.retrieval.filter import Filter
from store.schema import Row
from store.table.store import Store
from tests.support.clusters import Clusters, fill, settings_of
from tests.support.projects import UserProject

CAFE = normalize("NFD", "café")


@pytest.fixture
def project(tmp_path: Path, new_project: Callable[..., UserProject]) -> UserProject:
    return new_project(tmp_path / "project")


Ask = Callable[..., Answer]


@pytest.fixture
def ask(project: UserProject, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask(question, only=Filter())`, of the project's store as it is then."""
    monkeypatch.setattr(Searcher, "_loaded", None)  # no question here needs a model

    def ask(question: Question, only: Filter | None = None) -> Answer:
        with Project.open(settings_of(project)) as opened:
            return Searcher(opened).ask(question, only=only or Filter())

    return ask


def fill_with_content(project: UserProject, rows: list[Row]) -> None:
    """`fill`, with the hashes that the files have."""
    kept = fill(project, rows)
    with Store.open(str(project.store), writer=True) as store:
        store.upsert(
            replace(row, content_hash=content_hash(project.videos / row.path)) for row in kept
        )


def many(count: int) -> list[Row]:
    return [Clusters().row(f"x/{i:02}.mp4", i % 3, i) for i in range(count)]


def test_a_label_that_is_not_there_needs_no_model(project: UserProject, ask: Ask) -> None:
    fill(project, many(3))
    for only, names in ((Filter(label="y"), "label y; there is x."), (Filter(language="xx"), "xx")):
        answer = ask(Question(text="a dog"), only)
        assert answer.remark is not None
        assert names in answer.remark.text


def kind(answer: Answer) -> RemarkKind | None:
    return answer.remark.kind if answer.remark else None


@pytest.mark.parametrize("count", [2, 40])
def test_the_same_content_matches_wholly(
    project: UserProject, ask: Ask, tmp_path: Path, count: int
) -> None:
    """A copy from anywhere, without a model; also where nearly all videos are copies of one."""
    rows = many(count)
    rows += [replace(rows[0], path=f"copy/{i}.mp4", label="copy") for i in range(count)]
    fill_with_content(project, rows)
    elsewhere = shutil.copyfile(project.videos / rows[0].path, tmp_path / "elsewhere.mp4")
    files = ((elsewhere, None), (project.videos / rows[0].path, rows[0].path))
    for (file, own), places in product(files, (None, "picture", "speech")):
        answer = ask(Question(video=file, places=places))
        same = [hit for hit in answer.hits if hit.path.startswith("copy/")]
        assert same
        assert all((hit.match, hit.good) == (100, True) for hit in same)
        assert own not in {hit.path for hit in answer.hits}
        assert answer.hits[0].match == 100
        assert kind(answer) is not RemarkKind.ONLY_NEAREST


def test_a_copy_in_the_collection_is_not_scanned_yet(project: UserProject, ask: Ask) -> None:
    fill_with_content(project, many(20))
    new = shutil.copyfile(project.videos / "x/07.mp4", project.videos / "x/new.mp4")
    best, *_ = ask(Question(video=new)).hits
    assert (best.path, best.match) == ("x/07.mp4", 100)


def test_why_nothing_was_found(project: UserProject, ask: Ask, tmp_path: Path) -> None:
    first = project.videos / "x/00.mp4"
    fill_with_content(project, many(1))
    assert kind(ask(Question(video=first))) is RemarkKind.ONLY_VIDEO

    silent = [Clusters().row(f"{CAFE}/{i}.mp4", 1, i, spoken=False) for i in range(3)]
    fill_with_content(project, silent)
    found = ask(Question(video=first, places="speech"))
    assert (found.hits, kind(found)) == ((), RemarkKind.NOBODY_SPEAKS)

    other = Filter(label="sports")
    told = ask(Question(words="words"), other).remark
    assert told is not None
    assert told.kind is RemarkKind.NO_SUCH_LABEL
    assert "sports" in told.text
    assert f"{CAFE}, x" in told.text
    told = ask(Question(words="words"), Filter(language="German")).remark
    assert told is not None
    assert told.kind is RemarkKind.NO_SUCH_LANGUAGE
    assert told.text.endswith("there is en.")
    assert len(ask(Question(words="words"), Filter(language="EN")).hits) == 1
    assert kind(ask(Question(words="zebra"))) is None
    assert kind(ask(Question(video=first), Filter(label="x"))) is None
    assert len(ask(Question(video=first), Filter(label="café")).hits) == 3

    with Store.open(str(project.store), writer=True) as store:
        store.set_offline(store.known(), offline=True)
    assert kind(ask(Question(words="words"))) is RemarkKind.ALL_OFFLINE
    with Store.open(str(project.store), writer=True) as store:
        store.remove(store.known())
    assert kind(ask(Question(words="words"))) is RemarkKind.EMPTY_STORE


def test_rows_of_another_recipe_are_named_as_such(project: UserProject, ask: Ask) -> None:
    fill_with_content(project, many(3))
    with Store.open(str(project.store), writer=True) as store:
        rows = store.rows(["x/01.mp4", "x/02.mp4"]).values()
        store.upsert(replace(row, visual_recipe="of before") for row in rows)
    answer = ask(Question(video=project.videos / "x/00.mp4"))
    assert (answer.hits, kind(answer)) == ((), RemarkKind.OTHER_RECIPE)


def test_an_empty_store_is_named_before_a_model_is_loaded(ask: Ask) -> None:
    assert ask(Question(text="a dog")) == Answer(remark=ask(Question(words="dog")).remark)
    assert kind(ask(Question(text="a dog"))) is RemarkKind.EMPTY_STORE
    with pytest.raises(SettingsError, match="say what to find"):
        ask(Question())
