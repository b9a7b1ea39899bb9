"""`scan` as a user runs it; `status`, `failures` and `retry` tell of the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.support.asking import ask, imports
from tests.support.program import Run
from tests.support.projects import UserProject, keys
from tests.support.scanned import COUNTS, Scanned


def test_a_scan_tells_what_it_does(scanned: Scanned) -> None:
    lines = scanned.first.stderr.splitlines()

    def place(start: str) -> int:
        return next(i for i, line in enumerate(lines) if line.startswith(start))

    assert scanned.first.returncode == 0, scanned.first.stderr
    assert lines[place("Using device: ")] == "Using device: cpu"
    assert place("Using device") < place("Loading CLIP (") < place("Skipping broken.mp4 (")
    assert place("Loading Whisper (") < len(lines)
    summary = place("Dataset summary:")
    assert lines[summary + 1 : summary + 4] == [
        "  Labeled videos: 3",
        "  Unlabeled videos: 2",
        "  Categories: ['köln', 'soccer']",
    ]


def test_a_scan_ends_with_a_summary(scanned: Scanned) -> None:
    counts, rate, failed, following = scanned.first.stdout.splitlines()
    assert counts.startswith("4 embedded, 1 failed (see `failures`) in ")
    assert "videos/s, without the " in rate
    assert failed == "failed: videos/broken.mp4: the file is empty"
    assert following.startswith("next: `query ")


def test_stage_times_come_with_more_words(run: Run, scanned: Scanned) -> None:
    quiet = run("--config", scanned.project.config, "scan", "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    usual = run("--config", scanned.project.config, "scan")
    assert usual.stdout.startswith("4 unchanged, 1 failed (see `failures`) in ")
    assert usual.stdout.count("\n") == 1


def test_in_a_log_of_json_the_summary_is_an_event(run: Run, scanned: Scanned) -> None:
    ended = run("--config", scanned.project.config, "scan", "--log-format", "json")
    *_, event = map(json.loads, ended.stderr.splitlines())
    assert ended.stdout == ""
    assert keys(event, "event unchanged failed") == {
        "event": "summary", "unchanged": 4, "failed": 1,
    }  # fmt: skip


def test_a_second_scan_has_nothing_to_do(scanned: Scanned) -> None:
    summary = json.loads(scanned.second.stdout)
    assert scanned.second.returncode == 0
    assert "Loading" not in scanned.second.stderr
    assert keys(summary, COUNTS) == {
        "embedded": 0, "unchanged": 4, "moved": 0, "copied": 0, "removed": 0, "failed": 1,
    }  # fmt: skip
    assert summary["seconds"] > 0
    assert (summary["loading_seconds"], summary["interrupted"], summary["left"]) == (0, False, 0)


def test_an_unchanged_collection_needs_no_model_library(run: Run, scanned: Scanned) -> None:
    used = imports("--config", scanned.project.config, "scan")
    assert not used & {"torch", "open_clip", "faster_whisper", "ctranslate2"}


def test_strict_makes_a_failed_video_an_error(run: Run, scanned: Scanned) -> None:
    ended = run("--config", scanned.project.config, "scan", "--strict")
    assert ended.returncode == 1


# status, failures, retry


def test_status_adds_up(run: Run, scanned: Scanned) -> None:
    facts = ask(run, scanned.project, "status")
    assert keys(facts, "on_disk embedded pending failed offline labels") == {
        "on_disk": 5, "embedded": 4, "pending": 0, "failed": 1, "offline": 0,
        "labels": {"köln": 1, "soccer": 2},
    }  # fmt: skip
    (recipe,) = facts["recipes"]
    assert (recipe["rows"], recipe["current"]) == (4, True)
    other = ask(run, scanned.project, "--set", "clip.frames=3", "status")
    assert keys(other, "on_disk embedded pending failed") == {
        "on_disk": 5, "embedded": 0, "pending": 5, "failed": 0,
    }  # fmt: skip


def test_status_for_a_person(run: Run, scanned: Scanned) -> None:
    text = run("--config", scanned.project.config, "status").stdout
    assert "5 on disk = 4 embedded + 0 pending + 1 failed; 0 offline" in text
    assert "  soccer: 2" in text
    assert str(scanned.project.store) in text
    assert "`failures`" in text
    assert "visual:" not in text  # one recipe is nothing to know of
    other = run("--config", scanned.project.config, "--set", "clip.frames=3", "status").stdout
    assert "4 embedded with other settings:\n  visual: " in other
    assert "`scan` embeds what is pending." in other


def test_status_names_what_cannot_be_listed(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    (project.videos / "drive").symlink_to(tmp_path / "away")
    told = run("--config", project.config, "status").stdout
    assert "warning: videos/drive: is a symbolic link that leads nowhere" in told
    (unlisted,) = ask(run, project, "status")["unlisted"]
    assert unlisted["path"] == "drive"


def test_a_failure_is_listed_until_it_is_forgotten(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    project.add(made("not_a_video.mp4"), "a/broken.mp4")
    assert ask(run, project, "scan")["failed"] == 1
    (failure,) = ask(run, project, "failures")
    assert set(failure) == {"path", "stage", "reason", "attempts", "failed_at", "hint"}
    assert datetime.fromisoformat(failure["failed_at"]).tzinfo is not None
    assert keys(failure, "path stage attempts") == {
        "path": "videos/a/broken.mp4", "stage": "decode", "attempts": 1,
    }  # fmt: skip
    told = run("--config", project.config, "failures")
    assert "videos/a/broken.mp4  decode: " in told.stdout
    assert failure["failed_at"][:10] in told.stdout
    assert f"decode: {failure['hint']}." in told.stderr
    assert ask(run, project, "retry") == {"forgotten": 1}
    assert ask(run, project, "failures") == []
    assert ask(run, project, "status")["pending"] == 1
    again = run("--config", project.config, "scan")
    assert "Skipping a/broken.mp4 (" in again.stderr
