"""CTranslate2's file of a Whisper model -> a model of openai-whisper with the very same weights."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

# CTranslate2's numbers of types, as its model files hold them (ctranslate2/specs/model_spec.py).
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
SUPPORTED_VERSION = 6

ATTENTION = {"self_attention": "attn", "attention": "cross_attn"}


def load(folder: Path) -> Any:
    """A Whisper of openai-whisper on the CPU, float32, from a folder for faster-whisper.

    Raises:
        ValueError: the file is of a kind that this does not know.
    """
    from whisper.model import ModelDimensions, Whisper

    with (folder / "model.bin").open("rb") as file:
        variables = dict(_variables(file))
    state = dict(_renamed(variables))
    width = state["encoder.conv1.weight"].shape[0]
    layers = 1 + max(int(name.split(".")[2]) for name in state if ".blocks." in name)
    model = Whisper(
        ModelDimensions(
            n_mels=state["encoder.conv1.weight"].shape[1],
            n_audio_ctx=state["encoder.positional_embedding"].shape[0],
            n_audio_state=width,
            n_audio_head=width // 64,  # each head has 64 numbers in every Whisper
            n_audio_layer=layers,
            n_vocab=state["decoder.token_embedding.weight"].shape[0],
            n_text_ctx=state["decoder.positional_embedding"].shape[0],
            n_text_state=width,
            n_text_head=width // 64,
            n_text_layer=layers,
        )
    )
    model.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in state.items()})
    return model.eval()


def _variables(file: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    """Version, name and revision of the format; then each variable: name, shape, type, bytes."""

    def number(kind: str) -> int:
        (value,) = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))
        return int(value)

    def text() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    version, name, _ = number("I"), text(), number("I")
    if (version, name) != (SUPPORTED_VERSION, "WhisperSpec"):
        raise ValueError(f"model.bin: version {version} of {name}, not 6 of WhisperSpec")
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = TYPES[number("B")], number("I")
        yield name, np.frombuffer(file.read(size), kind).reshape(shape)


def _renamed(variables: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """By openai-whisper's names, float32; fused projections taken apart again."""
    for name, value in variables.items():
        if value.dtype.kind != "f" or value.ndim == 0 or name == "decoder/projection/weight":
            continue  # settings, and the word vectors once more
        yield from _taken_apart(name.split("/"), value.astype(np.float32))


def _taken_apart(path: list[str], value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    side, *inner, kind = path
    kind = {"gamma": "weight", "beta": "bias"}.get(kind, kind)
    match inner:
        case ["position_encodings"]:
            yield f"{side}.positional_embedding", value
        case ["embeddings"]:
            yield f"{side}.token_embedding.{kind}", value
        case ["layer_norm"]:
            yield f"{side}.{'ln_post' if side == 'encoder' else 'ln'}.{kind}", value
        case [layer, part, what] if layer.startswith("layer_"):
            block = f"{side}.blocks.{layer.removeprefix('layer_')}"
            yield from _of_block(block, (part, what), kind, value)
        case [conv]:
            yield f"{side}.{conv}.{kind}", value
        case _:
            raise ValueError(f"model.bin: a variable of unknown name, {'/'.join(path)}")


def _of_block(
    block: str, inner: tuple[str, str], kind: str, value: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    part, what = inner
    if part == "ffn":
        new = {"layer_norm": "mlp_ln", "linear_0": "mlp.0", "linear_1": "mlp.2"}[what]
        yield f"{block}.{new}.{kind}", value
        return
    name = f"{block}.{ATTENTION[part]}"
    if what == "layer_norm":
        yield f"{name}_ln.{kind}", value
        return
    # Queries, keys and values are one projection; of attention to the sound, keys and values.
    fused = {
        ("self_attention", "linear_0"): ("query", "key", "value"),
        ("attention", "linear_0"): ("query",),
        ("attention", "linear_1"): ("key", "value"),
    }.get((part, what), ("out",))
    for new, piece in zip(fused, np.split(value, len(fused)), strict=True):
        if (new, kind) != ("key", "bias"):  # always zero, and not there in openai-whisper
            yield f"{name}.{new}.{kind}", piece
