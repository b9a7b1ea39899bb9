"""CLIP's preprocessing of a picture, made from the model's configuration alone.

Decode threads and processes prepare pictures with it and never hold the weights. open_clip merges
the same three sources when it creates a model: its defaults, the configuration beside the weights
(or of the tag), and the picture size of the architecture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import LOCAL_DIR
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from PIL import Image

CONFIG_NAME = "open_clip_config.json"


@dataclass(frozen=True)
class Preprocess:
    """Resizing and cropping of one picture. Pickles as its numbers; safe in any thread.

    Args:
        size: Height and width of the encoder's input, pixels.
        mean: Of each channel, subtracted by the encoder.
        std: Of each channel, divided by by the encoder.
        interpolation: `bicubic`, `bilinear` or `random`, as open_clip names them.
        resize_mode: `shortest` (resize the shorter side, crop the middle), `longest` or `squash`.
        fill_color: Of the border that `longest` adds, 0 to 255.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0

    def __call__(self, image: Image.Image) -> np.ndarray:
        """uint8 `[height, width, 3]` from an upright RGB picture."""
        for step in self._geometry:
            image = step(image)
        return np.asarray(image)

    @cached_property
    def _geometry(self) -> list[Any]:
        """open_clip's own steps without its last two, which make a normalised tensor."""
        from open_clip.transform import PreprocessCfg, image_transform_v2
        from torchvision.transforms import Normalize

        transform = image_transform_v2(PreprocessCfg(**vars_of(self)), is_train=False)
        steps = list(transform.transforms)
        if not isinstance(steps[-1], Normalize):
            raise ModelError(f"CLIP's preprocessing ends with {steps[-1]}, not a normalisation")
        return steps[:-2]

    def __getstate__(self) -> dict[str, Any]:
        return vars_of(self)


def vars_of(preprocess: Preprocess) -> dict[str, Any]:
    """The numbers without the steps that were made of them."""
    return {name: getattr(preprocess, name) for name in Preprocess.__dataclass_fields__}


def read_preprocess(name: str, weights: str | None) -> Preprocess:
    """The preprocessing of a model that `clip.resolve` has named.

    Args:
        name: open_clip's name of a model, `local-dir:FOLDER` or `hf-hub:OWNER/NAME`.
        weights: A tag of open_clip or a checkpoint file; None where the name says it.

    Raises:
        ModelError: There is no configuration to read.
    """
    model, merged = _configuration(name, weights)
    image_size = model["vision_cfg"].get("image_size", 224)
    return from_open_clip({**merged, "size": image_size})


def from_open_clip(merged: dict[str, Any]) -> Preprocess:
    """From open_clip's own configuration, such as `model.visual.preprocess_cfg`."""
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    values = merge_preprocess_dict(PreprocessCfg(), merged)
    values.pop("mode")  # always RGB
    size = values.pop("size")
    height, width = (size, size) if isinstance(size, int) else size
    return Preprocess(
        (height, width),
        mean=tuple(values.pop("mean")),
        std=tuple(values.pop("std")),
        **values,
    )


def _configuration(name: str, weights: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model's configuration and that of its preprocessing."""
    import open_clip

    if ":" in name:
        config = _read_config(name)
        return config["model_cfg"], config.get("preprocess_cfg", {})
    tag = open_clip.get_pretrained_cfg(name, weights) if weights else None
    return open_clip.get_model_config(name), dict(tag or {})


def _read_config(name: str) -> dict[str, Any]:
    try:
        if name.startswith(LOCAL_DIR):
            file = Path(name.removeprefix(LOCAL_DIR)) / CONFIG_NAME
        else:
            from huggingface_hub import hf_hub_download

            file = Path(hf_hub_download(name.partition(":")[2], CONFIG_NAME))
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"clip.model = {name}: its configuration cannot be read: {error}"
        ) from error
    if "model_cfg" not in config:
        raise ModelError(f"clip.model = {name}: {file} has no model_cfg")
    return config
