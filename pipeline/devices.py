"""Where the models run, and in which number type."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import ModelError


@dataclass(frozen=True)
class Placement:
    """Devices as torch names them, and number types: `float32`, `float16` or `bfloat16`."""

    clip_device: str
    clip_precision: str
    whisper_device: str
    whisper_precision: str

    def __str__(self) -> str:
        if self.clip_device == self.whisper_device:
            return self.clip_device
        return f"{self.clip_device} (speech: {self.whisper_device})"


def choose(settings: Settings) -> Placement:
    """Resolve `device` and `precision` on this machine.

    CTranslate2, which runs Whisper, knows CUDA and the CPU: with MPS the speech model stays on the
    CPU.

    Raises:
        ModelError: a forced device is not there.
    """
    import torch

    wanted = settings.device
    available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if wanted == "auto":
        wanted = next((name for name, is_there in available.items() if is_there()), "cpu")
    kind = wanted.partition(":")[0]
    if kind in available and not available[kind]():
        raise ModelError(
            f"device = {wanted}: torch {torch.__version__} finds no such device here;"
            " set device to auto or cpu, or mend the driver"
        )
    whisper = "cpu" if kind == "mps" else wanted
    if kind == "cuda":
        load_cublas()
    return Placement(
        clip_device=wanted,
        clip_precision=getattr(settings.precision, kind),
        whisper_device=whisper,
        whisper_precision=getattr(settings.precision, whisper.partition(":")[0]),
    )


def load_cublas() -> None:
    """Load the CUDA 12 cuBLAS of the package nvidia-cublas-cu12, for CTranslate2 to find.

    CTranslate2 opens `libcublas.so.12` by name when it first multiplies on a GPU; a current torch
    brings only CUDA 13's. Where the package is not installed, the system's linker has to find one.

    Raises:
        ModelError: the library is installed but does not load.
    """
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        libraries = Path(folder) / "cublas" / "lib"
        for name in ("libcublasLt.so.12", "libcublas.so.12"):
            if sys.platform == "linux" and (libraries / name).exists():
                try:
                    ctypes.CDLL(str(libraries / name), mode=ctypes.RTLD_GLOBAL)
                except OSError as error:
                    raise ModelError(f"{libraries / name}: cannot be loaded: {error}") from error
