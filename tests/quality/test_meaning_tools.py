"""`suggest` and `check` on videos of which it is known what they show."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import load
from pipeline.demo.drawing import SHAPES
from pipeline.flow.running import read_running
from pipeline.labels.check import CheckResult, check
from pipeline.labels.folder_names import EncodeTexts
from pipeline.labels.suggest import suggest
from pipeline.models.recipe import recipe_of
from store.analysis.vectors import Vectors, read_vectors
from store.table.store import Store
from tests.support.meaning.collection import Known, Video
from tests.support.program import Run
from tests.support.projects import distinct_copy, eventually

LANDING = 12


@pytest.fixture(scope="module")
def vectors(known: Known) -> Vectors:
    settings = load(known.project.config)
    recipe = recipe_of(settings)
    with Store.open(settings.store_uri) as store:
        return read_vectors(store, recipe)


def told(run: Run, known: Known, command: str) -> Any:
    ended = run("--config", known.project.config, command, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def shown(path: str) -> str:
    """As the commands write it."""
    return f"videos/{path}"


def test_suggestions_are_right(run: Run, known: Known) -> None:
    document = told(run, known, "suggest")
    single = {shown(v.path): v for v in known.collection.videos.values() if _is_loose(v)}
    answers = {each["path"]: each["label"] for each in document["suggestions"] if each["label"]}
    answered = [path for path in single if path in answers]
    right = [path for path in answered if answers[path] == single[path].scene.shape]
    # With a tenth of the labels wrong, it rather says nothing.
    assert len(answered) >= len(single) / 3, document["suggestions"]
    assert len(right) >= 0.9 * len(answered), {path: answers[path] for path in answered}
    for copy, original in known.collection.copies.items():
        if "/" not in copy:
            assert answers[shown(copy)] == original.partition("/")[0]


@pytest.mark.parametrize("seed", range(4))
def test_where_labels_are_right_most_videos_have_a_suggestion(
    vectors: Vectors, known: Known, seed: int
) -> None:
    """The same videos, others of them labeled."""
    videos = [video for video in known.collection.videos.values() if len(video.shots) == 1]
    loose = set(random.Random(seed).sample([video.path for video in videos], 28))
    labels = {v.path: None if v.path in loose else v.scene.shape for v in videos}
    advice = suggest(_relabeled(vectors, labels), SHAPES, _no_clip, 0.8)
    answered = [each for each in advice.suggestions if each.label]
    right = [each for each in answered if each.label == known.video(each.path).scene.shape]
    assert len(advice.suggestions) == len(loose)
    assert len(answered) >= 0.6 * len(loose)
    assert len(right) >= 0.9 * len(answered)


def test_planted_harm_is_found_and_hardly_anything_else(run: Run, known: Known) -> None:
    document = told(run, known, "check")
    twice = [{video["path"] for video in each["videos"]} for each in document["in_two_folders"]]
    loose = [
        {video["path"] for video in each["videos"]} for each in document["labeled_and_unlabeled"]
    ]
    copies = known.collection.copies.items()
    planted = [{shown(copy), shown(original)} for copy, original in copies]
    assert _unordered(twice) == _unordered([pair for pair in planted if _labeled(pair)])
    assert _unordered(loose) == _unordered([pair for pair in planted if not _labeled(pair)])
    found = {each["path"]: each["looks_like"] for each in document["misplaced"]}
    wrong = {shown(path): folder for path, folder in known.collection.misplaced.items()}
    assert wrong.items() <= found.items()
    clean = {shown(path) for path in known.collection.videos if "/" in path} - set(wrong)
    assert len(clean & found.keys()) <= len(clean) / 20
    assert document["small"] == document["overlapping"] == []


@pytest.mark.parametrize("seed", range(4))
def test_wherever_videos_are_misplaced_they_are_found(
    vectors: Vectors, known: Known, seed: int
) -> None:
    """The same videos, others of them in wrong folders."""
    labeled = [path for path in known.collection.videos if "/" in path]
    dice = random.Random(seed)
    wrong = set(dice.sample(labeled, 2 + seed))
    shapes = {path: known.video(path).scene.shape for path in labeled}
    moved = {path: _another(shapes[path], dice) for path in sorted(wrong)}
    findings = check(_relabeled(vectors, {**shapes, **moved}))
    found = {each.path for each in findings.misplaced}
    assert wrong <= found
    assert len(found - wrong) <= (len(labeled) - len(wrong)) / 20
    assert replace(findings, misplaced=()) == CheckResult(videos=len(labeled))


def _is_loose(video: Video) -> bool:
    return "/" not in video.path and len(video.shots) == 1


def _labeled(paths: set[str]) -> bool:
    return all("/" in path.removeprefix("videos/") for path in paths)


def _unordered(groups: list[set[str]]) -> list[list[str]]:
    return sorted(sorted(group) for group in groups)


def _no_clip() -> EncodeTexts:
    raise AssertionError("no folder is new")


def _another(shape: str, dice: random.Random) -> str:
    return dice.choice([other for other in SHAPES if other != shape])


def _relabeled(vectors: Vectors, labels: Mapping[str, str | None]) -> Vectors:
    """Only the videos of `labels`, with these."""
    kept = [row for row, path in enumerate(vectors.paths) if path in labels]
    column = pa.array([labels[vectors.paths[row]] for row in kept], pa.string())
    place = vectors.rows.schema.get_field_index("label")
    rows = vectors.rows.take(kept).set_column(place, "label", column)
    return replace(vectors, rows=rows, embeddings=vectors.embeddings[kept])


def test_a_watch_says_where_a_video_probably_belongs_as_it_lands(
    run: Run, known: Known, tmp_path: Path
) -> None:
    project = known.project.copied(tmp_path / "own")
    assert run("--config", project.config, "suggest").returncode == 0
    silent = [v for v in known.collection.videos.values() if "/" in v.path and v.speech is None]
    right = {f"landed-{n}.mp4": video for n, video in enumerate(silent[:LANDING])}

    def land() -> None:
        with Store.open(str(project.store)) as store:
            eventually(lambda: read_running(store))
        for number, (name, video) in enumerate(right.items()):
            distinct_copy(project.videos / video.path, project.videos / name, number)
        with Store.open(str(project.store)) as store:
            eventually(lambda: store.known(right).keys() == right.keys())
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        landing = pool.submit(land)
        watched = run("--config", project.config, "watch")
        landing.result()
    line = r"(landed-\d+\.mp4) probably belongs in (\w+) \(\d+% sure\)"
    said = dict(re.findall(line, watched.stderr))
    assert len(said) >= LANDING / 3, watched.stderr
    wrong = [name for name, folder in said.items() if right[name].scene.shape != folder]
    assert len(wrong) <= 0.1 * len(said), said
