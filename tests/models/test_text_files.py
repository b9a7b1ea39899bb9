"""A model that splits texts by files of another repository: fetched, and brought as one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from pipeline.config import load
from pipeline.doctor import weights as doctor
from pipeline.doctor.finding import State
from pipeline.errors import ModelError
from pipeline.models.bundle import write_bundle
from pipeline.models.fetch import fetch, fetch_texts
from pipeline.models.loaded import Models
from pipeline.models.text_files import find_texts
from pipeline.models.weights import find_clip
from pipeline.settings import Settings
from tests.support.clips import write_small_clip
from tests.support.hub import Hub, ignore, serving, use, whisper_like
from tests.support.late import late

open_clip = late("open_clip")

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None, reason="transformers is not installed"
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the weights of a small model, and its tokenizer in another repository."""
    made, words, weights = (tmp_path / name for name in ("made", "words", "weights"))
    for folder in (made, words, weights):
        folder.mkdir()
    write_small_clip("xlm-roberta-base-ViT-B-32", made)
    for file in made.iterdir():
        shutil.move(file, weights if "open_clip" in file.name else words)
    config = json.loads((weights / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"] |= {"hf_model_name": "us/words", "hf_tokenizer_name": "us/words"}
    (weights / "open_clip_config.json").unlink()
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Words", config)
    place = {"hf_hub": "us/weights/", "url": "", "quick_gelu": False}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Words", {"drawn": place})
    whisper_like(tmp_path / "whisper")
    with serving() as server:
        use(monkeypatch, server.endpoint, tmp_path / "cache")
        server.repositories = {"us/weights": weights, "us/words": words}
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return with_model(tmp_path, "Words")


def with_model(tmp_path: Path, model: str) -> Settings:
    config = tmp_path / "config.toml"
    config.touch()
    named = [f"clip.model={model}", "clip.pretrained=drawn"]
    return load(config, [*named, f"whisper.model={tmp_path / 'whisper'}"])


def test_a_folder_for_another_machine_holds_what_splits_texts(
    hub: Hub, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = write_bundle(settings, tmp_path / "bundle", ignore)
    texts = ["ein Hund läuft", "two red squares", ""]
    named = Models(settings, ignore).clip().encode_texts(texts)
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    local = Models(with_model(tmp_path, changed["clip.model"]), ignore).clip().encode_texts(texts)
    np.testing.assert_array_equal(local, named)
    assert hub.requests == []


def test_the_tokenizer_is_fetched_once_and_missed_by_name(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    fetch(settings, told.append, finders=(find_clip,))
    assert doctor.clip(settings).state is State.WARNING
    folder = fetch_texts(settings, told.append)
    assert folder is not None
    assert (folder / "tokenizer.json").is_file()
    assert told[1].startswith("Fetching CLIP Words, its tokenizer: ")
    assert doctor.clip(settings).state is State.OK
    hub.requests.clear()
    assert fetch_texts(settings, pytest.fail) == folder
    assert hub.requests == []
    (folder / "tokenizer.json").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"CLIP Words, its tokenizer: .*HF_HUB_OFFLINE is set"):
        fetch_texts(settings, pytest.fail)


def test_a_model_with_open_clips_own_tokenizer_needs_no_more(tmp_path: Path) -> None:
    assert find_texts(with_model(tmp_path, "ViT-B/32")) is None
