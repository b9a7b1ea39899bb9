"""The models that the tests run: real ones where weights can be had, real architectures where not.

They are made once for all test runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pipeline.demo.weights import write_whisper_base
from tests.support.cache import made_once

CLIP_CONFIGS: dict[str, dict[str, Any]] = {
    # open_clip's ViT-B-32-quickgelu: the architecture of OpenAI's ViT-B/32. 605 MB of float32.
    "base": {
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 512,
            "heads": 8,
            "layers": 12,
        },
    },
    # The same with little of everything, for tests of the flow: about a millisecond a frame.
    "small": {
        "embed_dim": 32,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 1,
            "layers": 2,
        },
    },
}


def whisper_base() -> Path:
    """The folder of Whisper base for faster-whisper, joined from its two packages.

    Raises:
        ModelError: the joined weights are not the ones that the tests were written for.
    """

    def write(folder: Path) -> None:
        folder.mkdir()
        write_whisper_base(folder)

    return made_once("whisper-base", write)


def clip_folder(size: Literal["base", "small"]) -> Path:
    """A folder for open_clip's `local-dir:`, with the same random weights every time."""
    return made_once(f"clip-{size}-1", lambda folder: _write_clip(folder, CLIP_CONFIGS[size]))


def _write_clip(folder: Path, config: dict[str, Any]) -> None:
    """Write open_clip's own initial weights, seeded.

    Pictures and texts land well apart (0.1 to 0.8 from the mean of their kind), so that no scaling
    is needed to tell a right vector from a wrong one.
    """
    import torch
    from safetensors.torch import save_file

    from pipeline.models.openclip import open_clip

    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        model = open_clip.CLIP(**config)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    text = json.dumps({"model_cfg": config, "preprocess_cfg": {}}, indent=2)
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
