"""`export` as a user runs it: the artifacts, whole or as they were."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.asking import ask
from tests.support.program import PROCESS_SECONDS, Run, Spawn
from tests.support.scanned import Scanned

ARTIFACTS = ("labeled_embeddings.pt", "unlabeled_embeddings.pt", "transcripts.json")


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
    _, stderr = process.communicate(timeout=PROCESS_SECONDS)
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
    process.wait(PROCESS_SECONDS)
    assert [path for path in out.iterdir() if path.is_dir()]
    assert read_all(out) == former
    ask(run, scanned.project, "export", "--out", out)
    assert read_all(out).keys() == former.keys()
    assert not [path for path in out.iterdir() if path.is_dir()]
