"""What a query for a video or for words prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.asking import ask, imports
from tests.support.program import Run
from tests.support.projects import distinct_copy
from tests.support.scanned import Scanned


def test_a_known_video_is_compared_without_a_model(run: Run, scanned: Scanned) -> None:
    file = scanned.project.videos / "soccer/music.mp4"
    used = imports("--config", scanned.project.config, "query", "--video", file)
    assert "lancedb" in used
    assert not used & {"torch", "open_clip", "faster_whisper", "ctranslate2", "av"}


def test_a_query_tells_path_label_score_and_transcript(run: Run, scanned: Scanned) -> None:
    file = scanned.project.videos / "soccer/music.mp4"
    hits = ask(run, scanned.project, "query", "--video", file)
    assert all({"path", "label", "score", "transcript"} <= set(hit) for hit in hits)
    assert len(hits) == 3
    assert {hit["path"]: hit["label"] for hit in hits} == {
        "videos/köln/speech.mp4": "köln",
        "videos/soccer/deep/down/real.mp4": "soccer",
        "videos/rotated.mp4": None,
    }
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_a_query_can_be_cut_short_and_kept_to_a_label(run: Run, scanned: Scanned) -> None:
    file = scanned.project.videos / "rotated.mp4"
    assert len(ask(run, scanned.project, "query", "--video", file, "-k", "2")) == 2
    hits = ask(run, scanned.project, "query", "--video", file, "--label", "soccer")
    assert {hit["label"] for hit in hits} == {"soccer"}
    assert len(hits) == 2
    assert ask(run, scanned.project, "query", "--video", file, "--label", "nobody's") == []


def test_a_query_for_a_person_is_a_table(run: Run, scanned: Scanned) -> None:
    file = scanned.project.videos / "rotated.mp4"
    ended = run("--config", scanned.project.config, "query", "--video", file)
    header, *rows = ended.stdout.splitlines()
    assert header.split() == ["score", "path", "why", "said"]
    assert len(rows) == 3
    assert any("videos/köln/speech.mp4" in row and "fellow Americans" in row for row in rows)


def test_any_other_video_is_embedded_on_the_fly_and_not_stored(
    run: Run, scanned: Scanned, made: Callable[[str], Path], tmp_path: Path
) -> None:
    other = distinct_copy(made("speech.mp4"), tmp_path / "other.mp4", 1)
    hits = ask(run, scanned.project, "query", "--video", other, "-k", "1")
    assert hits[0]["path"] == "videos/köln/speech.mp4"
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    assert ask(run, scanned.project, "status")["embedded"] == 4


def test_words_find_those_who_speak_first(run: Run, scanned: Scanned) -> None:
    words = "ask not what your country can do for you"
    hits = ask(run, scanned.project, "query", "--text", words)
    assert {hit["path"] for hit in hits[:2]} == {
        "videos/köln/speech.mp4",
        "videos/soccer/deep/down/real.mp4",
    }
    assert len(hits) == 4


def test_a_query_for_what_cannot_be_asked_is_refused(
    run: Run, scanned: Scanned, tmp_path: Path
) -> None:
    config = ("--config", scanned.project.config)
    missing = run(*config, "query", "--video", tmp_path / "missing.mp4")
    assert (missing.returncode, "missing.mp4" in missing.stderr) == (2, True)
    empty = run(*config, "query", "--text", "  ")
    assert (empty.returncode, "--text" in empty.stderr) == (2, True)
    broken = run(*config, "query", "--video", scanned.project.videos / "broken.mp4")
    assert (broken.returncode, "broken.mp4" in broken.stderr) == (1, True)
    none = run(*config, "query", "--video", tmp_path, "-k", "0")
    assert (none.returncode, "-k" in none.stderr) == (2, True)
