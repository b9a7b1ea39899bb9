"""The test infrastructure itself: the models are there, and the guards bite."""

from __future__ import annotations

import functools
import json
import threading
from pathlib import Path

from tests.conftest import _ours


def test_whisper_is_there(whisper_dir: Path) -> None:
    names = {file.name for file in whisper_dir.iterdir()}
    assert {"model.bin", "config.json", "tokenizer.json", "vocabulary.json"} <= names


def test_clip_loads_without_a_network(small_clip_dir: Path) -> None:
    import open_clip

    name = f"local-dir:{small_clip_dir}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    tokens = open_clip.get_tokenizer(name)(["hello"])
    assert model.encode_text(tokens).shape == (1, 32)
    assert preprocess is not None


def test_real_size_clip_is_what_open_clip_calls_vit_b_32_quickgelu(clip_dir: Path) -> None:
    import open_clip

    written = json.loads((clip_dir / "open_clip_config.json").read_text())["model_cfg"]
    assert written == open_clip.get_model_config("ViT-B-32-quickgelu")


def test_assets(jfk_flac: Path, clips: tuple[Path, ...]) -> None:
    assert jfk_flac.is_file()
    assert [clip.name for clip in clips] == ["nasa_13013.mp4"]


def test_thread_guard_knows_what_is_a_leak() -> None:
    def ours() -> None: ...

    ours.__module__ = "pipeline.flow.workers"
    assert _ours(threading.Thread(target=print))
    assert _ours(threading.Thread(target=ours, daemon=True))
    assert _ours(threading.Thread(target=functools.partial(ours), daemon=True))
    assert not _ours(threading.Thread(target=print, daemon=True))
