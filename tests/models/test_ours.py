"""The models of the tests are what open_clip loads."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.late import late

open_clip = late("open_clip")


def test_clip_loads_without_a_network(small_clip_dir: Path) -> None:
    name = f"local-dir:{small_clip_dir}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    tokens = open_clip.get_tokenizer(name)(["hello"])
    assert model.encode_text(tokens).shape == (1, 32)
    assert preprocess is not None


def test_real_size_clip_is_what_open_clip_calls_vit_b_32_quickgelu(clip_dir: Path) -> None:
    written = json.loads((clip_dir / "open_clip_config.json").read_text())["model_cfg"]
    assert written == open_clip.get_model_config("ViT-B-32-quickgelu")
