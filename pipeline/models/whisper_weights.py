"""Loads Whisper's weights; where that fails, the error says what to do."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.weights import missing_whisper_files


def load_whisper(model: str, device: str, compute_type: str, threads: int, streams: int) -> Any:
    """Load a `WhisperModel` of faster-whisper.

    Args:
        model: a folder with a model in CTranslate2's format.
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
    except (RuntimeError, ValueError, OSError) as error:  # what CTranslate2 and tokenizers raise
        raise ModelError(_advice(model, device, compute_type, error)) from error


def _check_folder(model: str) -> None:
    if not os.path.isdir(model):
        raise ModelError(f"whisper.model = {model}: there is no such folder. {_WANTED}")
    if missing := missing_whisper_files(Path(model)):
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
    return f"whisper.model = {model}: cannot be loaded on {device}: {reason}"


CUBLAS = "libcublas.so.12"
NO_CUBLAS = f"Whisper needs {CUBLAS} on an NVIDIA GPU, and it is not installed"
INSTALL_CUBLAS = "pip install nvidia-cublas-cu12"


def load_cublas() -> None:
    """Load cuBLAS 12 from where pip installed it, or the system's.

    CTranslate2 asks for the library by name, and only when it computes. It finds one that is loaded
    already, but does not search the folder where pip installs it.

    Raises:
        ModelError: it is not installed, or does not load.
    """
    if sys.platform != "linux":
        return
    spec = find_spec("nvidia.cublas") if find_spec("nvidia") else None
    for folder in (spec and spec.submodule_search_locations) or []:
        if os.path.isfile(Path(folder) / "lib" / CUBLAS):
            for name in ("libcublasLt.so.12", CUBLAS):
                _load_library(Path(folder) / "lib" / name)
            return
    try:
        ctypes.CDLL(CUBLAS)
    except OSError as error:
        raise ModelError(f"{NO_CUBLAS}: {INSTALL_CUBLAS}; or set device = cpu") from error


def _load_library(library: Path) -> None:
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise ModelError(
            f"{library}: cannot be loaded: {error}. Install nvidia-cublas-cu12 again."
        ) from error
