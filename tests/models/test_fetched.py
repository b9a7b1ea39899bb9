"""Weights that were fetched from a hub are what runs, here and on another machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.demo.weights import TINY_CLIP
from pipeline.models.bundle import write_bundle
from pipeline.models.loaded import Models
from store.table.store import Store
from tests.support.hub import Hub, ignore, settings_with
from tests.support.late import late
from tests.support.program import Run
from tests.support.projects import UserProject

open_clip = late("open_clip")

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_a_scan_fetches_both_models_and_needs_no_hub_from_then_on(
    hub: Hub, run: Run, whisper_dir: Path, made: Callable[[str], Path], tmp_path: Path
) -> None:
    hub.repositories["us/whisper"] = whisper_dir
    project = UserProject.make(tmp_path / "project", clip=TINY_CLIP, whisper=whisper_dir)
    project.add(made("speech.mp4"), "one.mp4")
    named = ("--set", "clip.model=hf-hub:us/clip", "--set", "whisper.model=us/whisper")
    scan = ("--config", project.config, *named, "scan")
    fetched = run(*scan)
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stderr.index("Fetching CLIP") < fetched.stderr.index("Fetching Whisper")
    assert fetched.stderr.index("Fetching Whisper") < fetched.stderr.index("Dataset summary")
    assert len(hub.requests) == len(set(hub.requests))  # nothing is asked again to load it
    hub.requests.clear()
    project.add(made("no_audio.mp4"), "two.mp4")
    again = run(*scan)
    assert (again.returncode, "Fetching" in again.stderr) == (0, False)
    assert hub.requests == []
    with Store.open(str(project.store)) as store:
        one = store.rows(["one.mp4", "two.mp4"])["one.mp4"]
    assert "ask not what your country" in one.transcript.lower()


@pytest.fixture
def tagged(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tag of open_clip for the small model, with a preprocessing of its own."""
    config = json.loads((TINY_CLIP / "open_clip_config.json").read_text())
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny", config["model_cfg"])
    place = {"hf_hub": "us/tagged/", "url": "", "quick_gelu": False}
    ours = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "interpolation": "bilinear"}
    monkeypatch.setitem(
        open_clip.pretrained._PRETRAINED,
        "Tiny",
        {"drawn": place | ours | {"resize_mode": "squash"}},
    )
    (tmp_path / "tagged").mkdir()
    shutil.copy(TINY_CLIP / "open_clip_model.safetensors", tmp_path / "tagged")
    hub.repositories["us/tagged"] = tmp_path / "tagged"
    return "Tiny"


def test_a_folder_for_another_machine_gives_the_vectors_of_the_named_model(
    hub: Hub, tagged: str, tmp_path: Path, small_clip_dir: Path
) -> None:
    settings = settings_with(tmp_path, f"clip.model={tagged}", "clip.pretrained=drawn")
    changed = write_bundle(settings, tmp_path / "bundle", ignore)
    assert changed.keys() == {"clip.model", "whisper.model"}
    assert {file.name for file in (tmp_path / "bundle" / "whisper").iterdir()} == {
        "config.json", "tokenizer.json", "vocabulary.txt", "model.bin",
    }  # fmt: skip
    hub.requests.clear()
    named = Models(settings, ignore)
    local = Models(
        settings_with(tmp_path, *(f"{key}={value}" for key, value in changed.items())), ignore
    )
    assert hub.requests == []
    assert named.preprocess() == local.preprocess()
    assert named.preprocess().mean == (0.1, 0.2, 0.3)
    shape = (2, *named.preprocess().size, 3)
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    np.testing.assert_array_equal(
        named.clip().encode_frames(pixels), local.clip().encode_frames(pixels)
    )


def test_fetch_to_a_folder_prints_settings_that_a_scan_takes(
    hub: Hub, run: Run, whisper_dir: Path, made: Callable[[str], Path], tmp_path: Path
) -> None:
    hub.repositories["us/whisper"] = whisper_dir
    named = ("--set", "clip.model=hf-hub:us/clip", "--set", "whisper.model=us/whisper")
    written = run(*named, "fetch", "--to", tmp_path / "weights")
    assert written.returncode == 0, written.stderr
    (tmp_path / "videos").mkdir()
    shutil.copy(made("no_audio.mp4"), tmp_path / "videos")
    (tmp_path / "offline.toml").write_text(f'data.dir = "videos"\n{written.stdout}')
    shutil.rmtree(tmp_path / "cache")
    hub.shutdown()
    ended = run("--config", tmp_path / "offline.toml", "scan", "--strict", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["embedded"] == 1
    twice = run(*named, "fetch", "--to", tmp_path / "weights")
    assert (twice.returncode, "exists already" in twice.stderr) == (2, True)
