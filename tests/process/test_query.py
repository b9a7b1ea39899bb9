"""`query` as a user runs it: words, pictures, reasons, matches, filters; and the same in Python."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.config import load
from pipeline.models.recipe import recipe_of
from pipeline.project import Project
from pipeline.search.question import Question
from pipeline.search.searcher import Searcher
from store.schema import Row
from store.table.store import Store
from tests.support.asking import imports
from tests.support.program import Finished, Run
from tests.support.projects import LONG_AGO, UserProject
from tests.support.rows import make_row

D = 32  # of the small CLIP

Query = Callable[..., Finished]


@pytest.fixture(scope="module")
def project(
    run: Run,
    made: Callable[[str], Path],
    small_clip_dir: Path,
    whisper_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> UserProject:
    """Three videos, one of them with speech; scanned."""
    folder = tmp_path_factory.mktemp("query") / "project"
    project = UserProject.make(folder, clip=small_clip_dir, whisper=whisper_dir)
    project.add(made("speech.mp4"), "it's said/speech.mp4")
    project.add(made("music.mp4"), "soccer/music.mp4")
    late = project.add(made("rotated_90.mp4"), "rotated\n.mp4")
    os.utime(late, (LONG_AGO + 86_400, LONG_AGO + 86_400))
    ended = run("--config", project.config, "scan")
    assert ended.returncode == 0, ended.stderr
    return project


@pytest.fixture(scope="module")
def query(run: Run, project: UserProject) -> Query:
    """`query(*arguments)` must succeed."""

    def ask_it(*arguments: str | Path) -> Finished:
        ended = run("--config", project.config, "query", *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended

    return ask_it


@pytest.fixture(scope="module")
def picture(project: UserProject) -> Path:
    """The first frame of the music video, as a file."""
    file = project.folder / "picture.png"
    with av.open(project.videos / "soccer/music.mp4") as container:
        next(container.decode(video=0)).to_image().save(file)
    return file


def hits(ended: Finished) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_words_tell_who_said_them_and_when(query: Query) -> None:
    (hit,) = hits(query("--words", '"what you can do" country', "--json"))
    assert hit["path"] == "videos/it's said/speech.mp4"
    assert (hit["match"], hit["good"], hit["why"]["kind"]) == (100, True, "words")
    assert "what you can do" in hit["why"]["sentence"].lower()
    assert 0 <= hit["why"]["time"] < 8 < hit["why"]["end"] < 12  # he says it at 8 s


def test_words_need_no_model(project: UserProject) -> None:
    imported = imports("--config", project.config, "query", "--words", "country", "--json")
    assert "lancedb" in imported
    assert not imported & {"torch", "open_clip", "faster_whisper", "av", "ctranslate2"}


def test_words_of_which_only_some_were_said(query: Query) -> None:
    in_vain = query("--words", "country zebra", "--json")
    assert hits(in_vain) == []
    assert not in_vain.stderr  # nothing is wrong with what the videos were made with
    (hit,) = hits(query("--words", "country zebra", "--json", "--nearest"))
    assert (hit["match"], hit["good"]) == (50, False)


def test_a_picture_finds_the_video_and_the_moment(query: Query, picture: Path) -> None:
    hit, *_ = hits(query("--image", picture, "--json"))
    assert hit["path"] == "videos/soccer/music.mp4"
    assert hit["why"] == {"kind": "picture", "time": 0.0, "end": None, "sentence": None}


def test_a_text_is_looked_for_where_one_says(query: Query) -> None:
    text = ("--text", "ask not what your country can do for you")
    everywhere = hits(query(*text, "--json"))
    assert len(everywhere) == 3
    assert {hit["match"] for hit in everywhere} == {None}
    (spoken,) = hits(query(*text, "--in", "speech", "--json"))
    assert spoken["path"] == "videos/it's said/speech.mp4"
    assert spoken["why"]["kind"] == "speech"
    assert "country" in spoken["why"]["sentence"]
    seen = hits(query(*text, "--in", "picture", "--json"))
    assert {hit["why"]["kind"] for hit in seen} == {"picture"}


def test_questions_are_combined(query: Query, picture: Path) -> None:
    found = hits(query("--image", picture, "--words", "country", "--text", "a country", "--json"))
    assert {hit["path"] for hit in found[:2]} == {
        "videos/it's said/speech.mp4",
        "videos/soccer/music.mp4",
    }
    assert len(found) == 3


def test_filters_and_paths(query: Query, project: UserProject) -> None:
    music = project.videos / "soccer/music.mp4"

    def paths(*arguments: str) -> list[str]:
        return [hit["path"] for hit in hits(query("--video", music, "--json", *arguments))]

    assert paths("--label", "it's said") == ["videos/it's said/speech.mp4"]
    assert paths("--unlabeled") == ["videos/rotated\n.mp4"]
    assert paths("--language", "en", "--max-seconds", "12") == ["videos/it's said/speech.mp4"]
    since = datetime.fromtimestamp(LONG_AGO + 3_600).astimezone()
    assert paths("--since", since.isoformat()) == ["videos/rotated\n.mp4"]
    assert paths("--since", "2099-01-01") == []
    written = query("--words", "country", "--paths")
    assert written.stdout == "videos/it's said/speech.mp4\n"


def test_a_table_tells_why(query: Query, picture: Path) -> None:
    ended = query("--image", picture)
    header, first, *_ = ended.stdout.splitlines()
    assert header.split() == ["match", "path", "why", "said"]
    assert first.startswith("100%")  # the very picture
    assert "picture 00:00" in first
    assert "Not enough videos" in ended.stderr
    said = query("--words", "country").stdout
    assert said.startswith("match")
    assert "100%" in said
    assert "words 00:" in said


def test_bare_words_are_a_text(query: Query) -> None:
    bare = query("ask", "what", "you", "can", "do", "--json")
    assert hits(bare) == hits(query("--text", "ask what you can do", "--json"))


def test_line_after_line_is_answered_with_the_model_loaded_once(
    query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(["a country", "--wrods x", '--words "', "--words country --paths", "a dog", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    monkeypatch.setattr("pipeline.commands.query.on_terminal", lambda: True)
    told = query("--label", "it's said")
    assert next(lines, None) is None
    assert told.stdout.count("score  path") == 2
    assert told.stdout.count("videos/it's said/speech.mp4") == 3  # the label is asked for each time
    assert "soccer" not in told.stdout
    assert told.stderr.count("Loading CLIP") == 1
    assert "there is no flag --wrods; did you mean --words?" in told.stderr
    assert "error: No closing quotation" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--words"),
        (("--words", "let", "it"), "quotes"),
        (("a", "--text", "b"), "quotes"),
        (("--words", '""'), "--words"),
        (("--image", "nowhere.png"), "nowhere.png"),
        (("--image", "{config}"), "config.toml"),
        (("--video", "{music}", "--in", "speech"), "--in speech"),
        (("--words", "a", "--since", "yesterday"), "--since"),
        (("--words", "a", "--label", "b", "--unlabeled"), "--unlabeled"),
        (("--words", "a", "--json", "--paths"), "--paths"),
        (("--words", "a", "--in", "smell"), "--in"),
        (("--words", "a", "--min-seconds", "5", "--max-seconds", "4"), "--max-seconds"),
    ],
)
def test_wrong_questions_are_named(
    run: Run, project: UserProject, arguments: tuple[str, ...], named: str
) -> None:
    files = {"config": project.config, "music": project.videos / "soccer/music.mp4"}
    ended = run("--config", project.config, "query", *(a.format(**files) for a in arguments))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


# with a collection that is large enough to judge by


@pytest.fixture(scope="module")
def judged(project: UserProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 40 more rows: two that are alike, and others that have nothing in common."""
    recipe = recipe_of(load(project.config))
    folder = tmp_path_factory.mktemp("judged") / "store"
    rows = [of_recipe(make_row(f"x/{i}.mp4", i, d=D, windows=0), recipe) for i in range(40)]
    rows.append(replace(rows[0], path="x/same as 0.mp4"))
    with Store.open(str(folder), writer=True) as store:
        store.upsert(rows)
    return folder


def of_recipe(row: Row, recipe: Any) -> Row:
    return replace(
        row,
        frame_vectors=np.stack([row.visual] * 3),
        visual_recipe=recipe.visual,
        transcript_recipe=recipe.transcript,
        speech_recipe=recipe.speech,
    )


def test_what_matches_and_what_does_not(run: Run, project: UserProject, judged: Path) -> None:
    def look(name: str, *arguments: str) -> Finished:
        store = ("--set", f"store.uri={judged}")
        ended = run(
            "--config", project.config, *store, "query", "--video", project.videos / name,
            *arguments,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended

    best, *rest = hits(look("x/0.mp4", "--json"))
    assert (best["path"], best["good"]) == ("videos/x/same as 0.mp4", True)
    assert best["match"] > 99 > 95 > max(hit["match"] for hit in rest)
    assert look("x/0.mp4", "-k", "1").stdout.splitlines()[1].startswith("100%")

    alone = look("x/1.mp4", "--json")
    assert "Nothing matches well; these are the nearest." in alone.stderr
    assert len(hits(alone)) == 10
    assert {hit["good"] for hit in hits(alone)} == {False}


def test_a_text_query_in_python(project: UserProject) -> None:
    with Project.open(load(project.config)) as opened:
        answer = Searcher(opened).ask(Question(text="ask what you can do for your country"))
    assert {hit.path for hit in answer.hits} >= {"it's said/speech.mp4"}
