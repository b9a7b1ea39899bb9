"""CLIP by open_clip: frames or texts -> vectors.

One object encodes both, because only vectors of the same weights can be compared.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.names import resolve_clip
from pipeline.models.preprocess import Preprocess, from_open_clip
from pipeline.models.text_files import check_texts, last_padding, load_tokenizer, text_tower
from pipeline.settings import LOCAL_DIR
from store.arrays import unit_length

if TYPE_CHECKING:
    import torch

_OPEN_CLIP_PRECISION = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_TOKEN_STEP = 8  # windows of texts are multiples of it, so that few are made


class ClipEncoder:
    """Encodes frames and texts with a CLIP model and its trained weights.

    Args:
        model: `ViT-B/32` and the like, in OpenAI's or open_clip's spelling, or `local-dir:FOLDER`.
        pretrained: the absolute path of a checkpoint; not used for a folder.
        preprocess: what a checkpoint was trained with; None for open_clip's defaults.
        texts: folder with the tokenizer of a model that has one of transformers; the folder of
            `local-dir:` where it is None.
        device: as torch names it.
        precision: `float32`, `float16` or `bfloat16`.
        batch_frames: most frames in one forward pass; halved where the device's memory is short.
        threads: cores that one call uses on the CPU; 0 leaves it to torch.

    Raises:
        SettingsError: there is no such model or tag.
        ModelError: the weights cannot be loaded. Random weights are never used.
    """

    def __init__(
        self,
        model: str,
        pretrained: str,
        *,
        device: str,
        precision: str,
        preprocess: Preprocess | None = None,
        texts: Path | None = None,
        batch_frames: int = 64,
        threads: int = 0,
    ) -> None:
        import torch

        if threads:
            torch.set_num_threads(threads)
        name, weights = resolve_clip(model, pretrained)
        if texts is None and name.startswith(LOCAL_DIR):
            texts = Path(name.removeprefix(LOCAL_DIR))
        self._model, self._tokenize = _load(name, weights, preprocess, texts, device, precision)
        self.preprocess = from_open_clip(self._model.visual.preprocess_cfg)
        self._device = torch.device(device)
        self._dtype = getattr(torch, precision)
        self._batch_frames = batch_frames
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self._device).view(1, 3, 1, 1)
            for values in (self.preprocess.mean, self.preprocess.std)
        )
        self._context = self._tokenize.context_length
        self._last_padding = last_padding(self._tokenize)
        self._by_length: dict[int, Any] = {}
        self.dimension = int(self.encode_texts([""]).shape[1])

    def encode_frames(self, pixels: np.ndarray) -> np.ndarray:
        """Encode frames of one video or of several.

        Args:
            pixels: uint8 `[n, height, width, 3]`, as `preprocess` gives each.

        Returns:
            float32 `[n, d]`, not normalised.

        Raises:
            ModelError: the device is lost.
            RuntimeError: the model failed on them.
        """
        return self._in_batches(pixels, self._encode_pixels)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts; what is beyond the text encoder's window is cut off.

        Args:
            texts: of any length.

        Returns:
            float32 `[n, d]`, each of unit length.
        """
        return unit_length(self._in_batches(texts, self._encode_texts))

    def fits(self, text: str) -> bool:
        """Tell whether the text encoder's window holds a whole text."""
        # In a window with one place more than the encoder's, a text that fits leaves a place of
        # padding, as the empty text does.
        tokens = self._tokenize(["", text], context_length=self._context + 1)
        return bool(tokens[0, self._last_padding] == tokens[1, self._last_padding])

    def _encode_pixels(self, pixels: np.ndarray) -> torch.Tensor:
        batch = self._to_device(_torch().from_numpy(np.ascontiguousarray(pixels)))
        batch = batch.permute(0, 3, 1, 2).float().div_(255)
        return self._encode(
            self._model.encode_image, ((batch - self._mean) / self._std).to(self._dtype)
        )

    def _encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenize(list(texts), context_length=self._context)
        used = int(tokens.any(dim=0).nonzero().max()) + 1
        length = min(math.ceil(used / _TOKEN_STEP) * _TOKEN_STEP, self._context)
        if length not in self._by_length:
            self._by_length[length] = _shortened(self._model, length, self._context)
        model = self._by_length[length]
        return self._encode(model.encode_text, self._to_device(tokens[:, : model.context_length]))

    def _encode(self, method: Callable[..., Any], batch: torch.Tensor) -> torch.Tensor:
        with _torch().inference_mode():
            encoded: torch.Tensor = method(batch, normalize=False)  # CoCa would
            return encoded.float().cpu()

    def _to_device(self, batch: torch.Tensor) -> torch.Tensor:
        if self._device.type != "cuda":
            return batch.to(self._device)
        return batch.pin_memory().to(self._device, non_blocking=True)

    def _in_batches(self, items: Any, encode: Callable[[Any], torch.Tensor]) -> np.ndarray:
        """Encode in batches; a batch that the device's memory does not hold is halved."""
        size, start, parts = self._batch_frames, 0, []
        while start < len(items):
            try:
                parts.append(encode(items[start : start + size]).numpy())
            except _torch().OutOfMemoryError:
                if size == 1:
                    raise
                size = max(min(size, len(items) - start) // 2, 1)
            except RuntimeError as error:
                self._raise_if_lost(error)
                raise
            else:
                start += size
        encoded: np.ndarray = np.concatenate(parts)
        return encoded

    def _raise_if_lost(self, error: RuntimeError) -> None:
        """Tell a device that is lost, which fails with all there is, from a bad batch."""
        try:
            _torch().ones(1, device=self._device).item()
        except RuntimeError:
            raise ModelError(
                f"device {self._device}: it answers no more: {error}\nWhat was not written is"
                " embedded by the next scan; if it fails again, look at the driver's log, or set"
                " device = cpu"
            ) from error


def _load(
    name: str,
    weights: str | None,
    preprocess: Preprocess | None,
    texts: Path | None,
    device: str,
    precision: str,
) -> tuple[Any, Any]:
    from pipeline.models.openclip import open_clip

    trained_with = {}
    if preprocess is not None and weights is not None:
        trained_with = {
            "image_mean": preprocess.mean,
            "image_std": preprocess.std,
            "image_interpolation": preprocess.interpolation,
            "image_resize_mode": preprocess.resize_mode,
        }
    try:
        text = open_clip.get_model_config(name)["text_cfg"]
        check_texts(name, text, texts)
        model = open_clip.create_model_from_pretrained(
            name,
            pretrained=weights,
            device=device,
            precision=_open_clip_precision(precision, text),
            return_transform=False,
            **trained_with,
            **text_tower(text, texts),
        )
        return model.eval(), load_tokenizer(name, text, texts)
    except ModelError:
        raise
    except Exception as error:  # whatever a file or a checkpoint of another model raises
        raise ModelError(_no_weights(name, weights, error)) from error


def _open_clip_precision(precision: str, text: dict[str, Any]) -> str:
    """Name a precision as open_clip does; one that converts layers one by one knows only its own.

    Args:
        precision: `float32`, `float16` or `bfloat16`.
        text: `text_cfg` of the model's configuration.
    """
    short = _OPEN_CLIP_PRECISION[precision]
    has_others = text.get("hf_model_name") or text.get("embed_cls")
    return f"pure_{short}" if has_others and short != "fp32" else short


def _no_weights(name: str, weights: str | None, error: Exception) -> str:
    if name.startswith(LOCAL_DIR):
        folder = name.removeprefix(LOCAL_DIR)
        return (
            f"clip.model = {name}: cannot be loaded: {error}\n"
            f"{folder} must hold open_clip_config.json and open_clip_model.safetensors (or"
            " open_clip_pytorch_model.bin) of one model."
        )
    return (
        f"CLIP {name}, weights {weights}: cannot be loaded: {error}\n"
        "Set clip.pretrained to a checkpoint of this model, or to a tag. A file of the hub's cache"
        " that is broken is fetched again once it is deleted."
    )


def _shortened(model: Any, length: int, context: int) -> Any:
    """Make a copy of the model with a shorter window for texts; it shares the weights.

    In OpenAI's CLIP no token attends to a later one, and the vector is that of the last token. So
    the padding after it changes nothing, but takes most of the time. Other models keep their
    window.

    Args:
        model: of open_clip.
        length: tokens of the shorter window.
        context: tokens of the model's own window.
    """
    from pipeline.models.openclip import open_clip

    pools_at_end = getattr(model, "text_pool_type", None) in ("argmax", "eos")
    if type(model) is not open_clip.CLIP or model.attn_mask is None or not pools_at_end:
        length = context
    short = copy.copy(model)
    short.context_length = length
    if length < context:
        short._parameters = dict(model._parameters)
        short._buffers = dict(model._buffers)
        short.positional_embedding = _torch().nn.Parameter(model.positional_embedding[:length])
        short.attn_mask = model.attn_mask[:length, :length]
    return short


def _torch() -> Any:
    import torch

    return torch
