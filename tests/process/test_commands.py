"""The program as a user runs it: a process, its output, its files and its exit codes."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from store.table.store import Store
from tests.support.asking import ask, imports
from tests.support.program import Finished, Run, Spawn
from tests.support.projects import UserProject, distinct_copy, keys, put

ARTIFACTS = ("labeled_embeddings.pt", "unlabeled_embeddings.pt", "transcripts.json")
COUNTS = "embedded unchanged moved copied removed failed"


@dataclass(frozen=True)
class Scanned:
    """A small collection that was scanned once. Do not change it."""

    project: UserProject
    first: Finished  # for a person
    second: Finished  # as JSON


@pytest.fixture(scope="module")
def scanned(
    run: Run,
    made: Callable[[str], Path],
    clips: tuple[Path, ...],
    new_project: Callable[..., UserProject],
    tmp_path_factory: pytest.TempPathFactory,
) -> Scanned:
    project = new_project(tmp_path_factory.mktemp("scanned") / "project")
    project.add(made("speech.mp4"), "köln/speech.mp4")
    project.add(made("music.mp4"), "soccer/music.mp4")
    project.add(clips[0], "soccer/deep/down/real.mp4")
    project.add(made("rotated_90.mp4"), "rotated.mp4")
    project.add(made("zero_bytes.mp4"), "broken.mp4")
    first = run("--config", project.config, "scan")
    second = run("--config", project.config, "scan", "--json")
    return Scanned(project, first, second)


# scan


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


# export


@pytest.fixture(scope="module")
def artifacts(run: Run, scanned: Scanned) -> Path:
    """The folder that an export has filled."""
    ended = run("--config", scanned.project.config, "export")
    assert ended.returncode == 0, ended.stderr
    assert "Saved labeled embeddings: torch.Size([3, 64])" in ended.stdout
    assert "Saved unlabeled embeddings: torch.Size([1, 64])" in ended.stdout
    assert "Saved 4 transcripts" in ended.stdout
    return scanned.project.folder / "artifacts"


def test_the_artifacts_are_those_of_the_seed_document(artifacts: Path) -> None:
    files = {path.name for path in artifacts.iterdir() if not path.name.startswith(".")}
    assert files == {*ARTIFACTS, "manifest.json"}
    labeled = torch.load(artifacts / "labeled_embeddings.pt", weights_only=True)
    unlabeled = torch.load(artifacts / "unlabeled_embeddings.pt", weights_only=True)
    names = [
        "videos/köln/speech.mp4",
        "videos/soccer/deep/down/real.mp4",
        "videos/soccer/music.mp4",
    ]
    assert set(labeled) == {"features", "labels", "label_names", "video_paths"}
    assert labeled["features"].dtype == torch.float32
    assert labeled["labels"].dtype == torch.int64
    assert labeled["labels"].tolist() == [0, 1, 1]
    assert labeled["label_names"] == ["köln", "soccer"]
    assert labeled["video_paths"] == names
    assert set(unlabeled) == {"features", "video_paths"}
    assert unlabeled["features"].shape == (1, 64)
    assert unlabeled["video_paths"] == ["videos/rotated.mp4"]
    halves = torch.cat([labeled["features"], unlabeled["features"]]).unflatten(1, (2, 32))
    lengths = halves.norm(dim=2)
    assert torch.allclose(lengths[:, 0], torch.ones(4), atol=1e-5)
    assert lengths[[0, 2, 3], 1].tolist() == pytest.approx([1, 0, 0], abs=1e-5)


def test_transcripts_and_manifest_are_readable_by_a_person(artifacts: Path) -> None:
    text = (artifacts / "transcripts.json").read_text(encoding="utf-8")
    transcripts = json.loads(text)
    assert "köln/speech.mp4" in text
    assert "ask what you can do for your country" in transcripts["videos/köln/speech.mp4"]
    assert transcripts["videos/rotated.mp4"] == ""
    manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
    assert [row["path"] for row in manifest["rows"]] == sorted(transcripts)
    assert manifest["rows"][0]["label"] == "köln"
    assert manifest["left_out"] == []


def test_rows_of_another_recipe_are_left_out_and_named(
    run: Run, scanned: Scanned, tmp_path: Path
) -> None:
    project = scanned.project.copied(tmp_path / "project")
    other = ("--set", "clip.frames=3")
    nothing = run("--config", project.config, *other, "export", "--out", tmp_path / "out")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "other settings" in nothing.stderr
    assert not (tmp_path / "out").exists()
    ask(run, project, *other, "scan", project.videos / "soccer")
    summary = ask(run, project, *other, "export", "--out", tmp_path / "out")
    assert (summary["labeled"], summary["unlabeled"], summary["left_out"]) == ([2, 64], [0, 64], 2)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["left_out"]) == 2
    assert "frames=5" in manifest["left_out"][0]["why"]


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_export_that_fails_leaves_the_former_one(
    run: Run, spawn: Spawn, scanned: Scanned, tmp_path: Path
) -> None:
    ask(run, scanned.project, "export", "--split", "0.5", "--out", tmp_path)
    former = read_all(tmp_path)
    process = spawn(
        "--config", scanned.project.config, "export", "--out", tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "File too large" in stderr
    assert read_all(tmp_path) == former
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


STOP_AT_THE_FIRST_SYNC = """
import os, signal

def stop(_):
    print("writing", flush=True)
    signal.pause()

os.fsync = stop
"""


def test_an_export_that_is_killed_leaves_the_former_one(
    run: Run, spawn: Callable[..., Any], scanned: Scanned, tmp_path: Path
) -> None:
    out, start = tmp_path / "out", tmp_path / "sitecustomize.py"
    ask(run, scanned.project, "export", "--split", "0.5", "--out", out)
    former = read_all(out)
    start.write_text(STOP_AT_THE_FIRST_SYNC)  # Python imports it first of all
    process = spawn(
        "--config", scanned.project.config, "export", "--out", out,
        env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.wait(30)
    assert [path for path in out.iterdir() if path.is_dir()]
    assert read_all(out) == former
    ask(run, scanned.project, "export", "--out", out)
    assert read_all(out).keys() == former.keys()
    assert not [path for path in out.iterdir() if path.is_dir()]


# query


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


# another folder, or a part of it


def test_the_commands_after_a_scan_of_another_folder_mean_that_folder(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    file = put(made("no_audio.mp4"), elsewhere / "pets/cat.mp4")
    put(made("portrait.mp4"), elsewhere / "dog.mp4")
    assert ask(run, project, "scan", elsewhere)["embedded"] == 2
    facts = ask(run, project, "status")
    assert keys(facts, "on_disk embedded labels") == {
        "on_disk": 2, "embedded": 2, "labels": {"pets": 1},
    }  # fmt: skip
    ask(run, project, "export")
    artifact = project.folder / "artifacts" / "labeled_embeddings.pt"
    assert torch.load(artifact, weights_only=True)["video_paths"] == [str(file)]
    (hit,) = ask(run, project, "query", "--video", file)
    assert hit["path"] == str(elsewhere / "dog.mp4")


def test_a_folder_in_the_one_that_was_scanned_is_a_part_of_it(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    file = put(made("no_audio.mp4"), elsewhere / "pets/cat.mp4")
    assert ask(run, project, "scan", elsewhere)["embedded"] == 1
    for part in (file, file.parent):
        assert keys(ask(run, project, "scan", part), COUNTS) == {
            "embedded": 0, "unchanged": 1, "moved": 0, "copied": 0, "removed": 0, "failed": 0,
        }  # fmt: skip


def test_one_video_of_the_collection_is_embedded_alone(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    cat = project.add(made("no_audio.mp4"), "pets/cat.mp4")
    project.add(made("portrait.mp4"), "dog.mp4")
    assert ask(run, project, "scan", cat)["embedded"] == 1
    facts = ask(run, project, "status")
    assert keys(facts, "embedded pending labels") == {
        "embedded": 1, "pending": 1, "labels": {"pets": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name", "named"),
    [
        ("scan", "../elsewhere.mp4", "scan the folder that it is in: `scan '"),
        ("scan", "videos/notes.txt", "ends with .mp4, .m4v"),
        ("scan", "videos/.hidden.mp4", "not hidden"),
        ("watch", "videos/cat.mp4", "a watch needs a folder: `watch '"),
    ],
)
def test_a_file_that_cannot_be_scanned_alone_brings_what_to_give(
    run: Run,
    new_project: Callable[..., UserProject],
    tmp_path: Path,
    command: str,
    name: str,
    named: str,
) -> None:
    project = new_project(tmp_path / "with blanks" / "project")
    file = project.folder / name
    file.write_bytes(b"")
    ended = run("--config", project.config, command, file)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert not project.store.exists()


def test_a_part_of_the_collection_keeps_its_labels(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    project.add(made("no_audio.mp4"), "pets/cats/cat.mp4")
    project.add(made("portrait.mp4"), "dog.mp4")
    assert ask(run, project, "scan", project.videos / "pets")["embedded"] == 1
    facts = ask(run, project, "status")
    assert keys(facts, "on_disk embedded pending labels") == {
        "on_disk": 2, "embedded": 1, "pending": 1, "labels": {"pets": 1},
    }  # fmt: skip
    assert ask(run, project, "scan")["unchanged"] == 1
    assert keys(ask(run, project, "scan", project.videos / "pets"), COUNTS) == {
        "embedded": 0, "unchanged": 1, "moved": 0, "copied": 0, "removed": 0, "failed": 0,
    }  # fmt: skip
    with Store.open(str(project.store)) as store:
        assert sorted(store.known()) == ["dog.mp4", "pets/cats/cat.mp4"]
