"""Loads Whisper's weights; where that fails, the error says what to do."""

from __future__ import annotations

import ctypes
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.weights import missing_whisper_files


def load_whisper(model: str, device: str, compute_type: str, threads: int, streams: int) -> Any:
    """Load a `WhisperModel` of faster-whisper.

    Args:
        model: a size (`base`, `large-v3`), a repository of the hub, or a local folder.
        device: `cpu`, `cuda` or `cuda:N`.
        compute_type: CTranslate2's number type.
        threads: cores that one call uses on a CPU; 0 leaves it to CTranslate2.
        streams: number of calls that may run at the same time.

    Raises:
        ModelError: the weights cannot be found or loaded, or the device cannot be used.
    """
    from faster_whisper import WhisperModel

    _check_folder(model)
    kind, _, index = device.partition(":")
    if kind == "cuda":
        load_cublas()
    try:
        return WhisperModel(
            model,
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            cpu_threads=threads,
            num_workers=streams,
        )
    except (RuntimeError, ValueError, OSError) as error:
        # CTranslate2 and the hub's client raise these; an HTTP error is an OSError.
        raise ModelError(_advice(model, device, compute_type, error)) from error


def _check_folder(model: str) -> None:
    folder = Path(model)
    if not os.path.isdir(folder):
        if folder.is_absolute() or model.startswith((".", "~")):
            raise ModelError(f"whisper.model = {model}: there is no such folder. {_WANTED}")
        return
    if missing := missing_whisper_files(folder):
        raise ModelError(f"whisper.model = {model}: no {', '.join(missing)} in it. {_WANTED}")


_WANTED = (
    "Set whisper.model to a folder with a Whisper model in CTranslate2's format "
    "(model.bin, config.json, tokenizer.json, vocabulary.json), or to a name such as base, which "
    "is downloaded from the Hugging Face hub."
)


def _advice(model: str, device: str, compute_type: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0]
    if "compute type" in reason:
        return (
            f"Whisper on {device}: {reason} Change whisper.weights or"
            f" precision.{device.partition(':')[0]}, which make {compute_type}."
        )
    if os.path.isdir(model):
        return f"whisper.model = {model}: cannot be loaded on {device}: {reason}"
    return (
        f"whisper.model = {model}: it is no folder, and the Hugging Face hub and its local cache "
        f"were tried: {reason} Without a network: {_WANTED}"
    )


def load_cublas() -> None:
    """Load cuBLAS 12 from where pip installed it.

    CTranslate2 asks for the library by name. It finds one that is loaded already, but does not
    search the folder where pip installs it.

    Raises:
        ModelError: it is installed, but does not load.
    """
    spec = find_spec("nvidia.cublas") if find_spec("nvidia") else None
    for folder in (spec and spec.submodule_search_locations) or []:
        for name in ("libcublasLt.so.12", "libcublas.so.12"):
            library = Path(folder) / "lib" / name
            if os.path.isfile(library):
                _load_library(library)


def _load_library(library: Path) -> None:
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise ModelError(
            f"{library}: cannot be loaded: {error}. Install nvidia-cublas-cu12 again."
        ) from error
