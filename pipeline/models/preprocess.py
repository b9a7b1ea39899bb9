"""CLIP's preprocessing of a picture, from the model's configuration alone.

Decode threads and processes prepare pictures without holding the weights. When open_clip creates a
model, it merges three sources into the preprocessing, and so does this module: open_clip's
defaults, the configuration of the tag or beside the weights, and the architecture's picture size.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.settings import LOCAL_DIR

if TYPE_CHECKING:
    from PIL import Image

CONFIG_NAME = "open_clip_config.json"


@dataclass(frozen=True)
class Preprocess:
    """Resizes and crops one picture for the encoder. Pickles as its numbers; safe in any thread.

    Args:
        size: height and width of the encoder's input, pixels.
        mean: of each channel; the encoder subtracts it.
        std: of each channel; the encoder divides by it.
        interpolation: `bicubic`, `bilinear` or `random`, as open_clip names them.
        resize_mode: `shortest` (resize the shorter side, crop the middle), `longest` or `squash`.
        fill_color: of the border that `longest` adds, 0 to 255.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Prepare an upright RGB picture.

        Args:
            image: of any size.

        Returns:
            uint8 `[height, width, 3]`.
        """
        if self._is_plain:
            image = _resized(self, image)
        else:
            for step in _geometry(self):
                image = step(image)
        return np.array(image)  # a copy: torch warns of memory that cannot be written to

    @property
    def _is_plain(self) -> bool:
        """Whether a resize and a crop are all of it."""
        is_square = self.size[0] == self.size[1]
        known = self.interpolation in ("bicubic", "bilinear")
        return known and (
            self.resize_mode == "squash" or (self.resize_mode == "shortest" and is_square)
        )


def _resized(preprocess: Preprocess, image: Image.Image) -> Image.Image:
    """Resize and crop as open_clip's steps do, without open_clip and torch.

    They take 3 s and 1 GB to import, and a cluster has a process for each core that decodes.
    """
    from PIL.Image import Resampling

    height, width = preprocess.size
    resampling = Resampling[preprocess.interpolation.upper()]
    if preprocess.resize_mode == "squash":
        return image.resize((width, height), resampling)
    short = min(image.size)
    w, h = (int(height * side / short) for side in image.size)
    left, top = round((w - width) / 2), round((h - height) / 2)
    return image.resize((w, h), resampling).crop((left, top, left + width, top + height))


@cache
def _geometry(preprocess: Preprocess) -> tuple[Callable[[Image.Image], Image.Image], ...]:
    """Build open_clip's own steps without its last two, which make a normalised tensor."""
    from pipeline.models.openclip import Normalize, PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(**asdict(preprocess)), is_train=False)
    *steps, _, last = transform.transforms
    if not isinstance(last, Normalize):
        raise ModelError(f"CLIP's preprocessing ends with {last}, not with a normalisation")
    return tuple(steps)


def read_preprocess(name: str, weights: str | None) -> Preprocess:
    """Read the preprocessing of a model that `resolve_clip` has named.

    Args:
        name: open_clip's name of a model, or `local-dir:FOLDER`.
        weights: a tag of open_clip or a checkpoint file; None where the name has a scheme.

    Raises:
        ModelError: there is no configuration to read.
    """
    model, merged = _configuration(name, weights)
    image_size = model["vision_cfg"].get("image_size", 224)
    return from_open_clip({**merged, "size": image_size})


def from_open_clip(merged: dict[str, Any]) -> Preprocess:
    """Convert a configuration of open_clip, such as `model.visual.preprocess_cfg`.

    Args:
        merged: its keys; open_clip's defaults stand in for missing ones.
    """
    from pipeline.models.openclip import PreprocessCfg, merge_preprocess_dict

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
    """Look up the configuration of a model and that of its preprocessing."""
    from pipeline.models.openclip import open_clip

    if ":" in name:
        config = read_config(name)
        return config["model_cfg"], config.get("preprocess_cfg", {})
    tag = open_clip.get_pretrained_cfg(name, weights) if weights else None
    return open_clip.get_model_config(name), dict(tag or {})


def read_config(name: str) -> dict[str, Any]:
    """Read the configuration of a model in a folder.

    Args:
        name: `local-dir:FOLDER`.

    Raises:
        ModelError: it cannot be read, or is that of something else.
    """
    file = Path(name.removeprefix(LOCAL_DIR)) / CONFIG_NAME
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"clip.model = {name}: its configuration cannot be read: {error}"
        ) from error
    if "model_cfg" not in config:
        raise ModelError(f"clip.model = {name}: {file} has no model_cfg")
    return config
