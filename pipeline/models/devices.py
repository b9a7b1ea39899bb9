"""Chooses where the models run, in which number type, and how a run shares the cores."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ModelError
from pipeline.settings import Settings

CPU_STREAMS = 4  # each one holds the activations of its batch in memory
CPU_VIDEOS = 8  # videos of a batch; a larger one would keep the other threads waiting


@dataclass(frozen=True)
class Placement:
    """Devices and number types of both models.

    Args:
        clip_device: as torch names it.
        clip_precision: `float32`, `float16` or `bfloat16`.
        whisper_device: as torch names it.
        whisper_precision: a type as above, or `int8_` followed by one: matrices are then
            multiplied in 8 bits, scaled row by row, and the rest is computed in that type.
    """

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

    Args:
        settings: of the run.

    Raises:
        ModelError: a forced device is not there.
    """
    return place(settings, found_devices(), bfloat16=multiplies_bfloat16())


def multiplies_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 in hardware: AVX512-BF16, AMX.

    There a frame of ViT-B/32 takes half the time of float32 (59 against 128 ms on a Zen 4 core);
    without these instructions it takes seven times as long.
    """
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def found_devices() -> tuple[str, ...]:
    """List the accelerators of this machine as torch names them, best first: `cuda:0`, `mps`."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = ("mps",) if torch.backends.mps.is_available() else ()
    return (*(f"cuda:{index}" for index in range(count)), *apple)


def place(settings: Settings, found: Sequence[str], *, bfloat16: bool = False) -> Placement:
    """Resolve `device` and `precision` on a given machine.

    CTranslate2, which runs Whisper, knows CUDA and the CPU only, so that with MPS Whisper stays on
    the CPU.

    Args:
        settings: of the run.
        found: the accelerators, as `found_devices` lists them.
        bfloat16: whether the processor multiplies bfloat16 in hardware.

    Raises:
        ModelError: a forced device is not there.
    """
    kinds = [device.partition(":")[0] for device in found]
    wanted = settings.device
    if wanted == "auto":
        wanted = next(iter(kinds), "cpu")
    if wanted not in (*found, *kinds, "cpu"):
        raise ModelError(
            f"device = {wanted}: torch finds no such device here, only"
            f" {', '.join([*found, 'cpu'])}; set device to auto or to one of these, or repair"
            " the driver"
        )
    kind = wanted.partition(":")[0]
    precision = getattr(settings.precision, kind)
    if precision == "auto":
        precision = "bfloat16" if bfloat16 else "float32"
    whisper = "cpu" if kind == "mps" else wanted
    return Placement(
        clip_device=wanted,
        clip_precision=precision,
        whisper_device=whisper,
        whisper_precision=_whisper_precision(settings, whisper.partition(":")[0]),
    )


def _whisper_precision(settings: Settings, kind: str) -> str:
    """Choose the number type of Whisper on a kind of device.

    CTranslate2 has no half precision on a CPU. There every token reads all weights, so that weights
    in 8 bits are the quickest; they change a word here and there, and full windows promise the
    words of faster-whisper.
    """
    number = "float32" if kind == "cpu" else getattr(settings.precision, kind)
    weights = settings.whisper.weights
    if weights == "auto":
        weights = "int8" if kind == "cpu" and settings.whisper.windows == "fitted" else "float"
    return f"int8_{number}" if weights == "int8" else number


@dataclass(frozen=True)
class Threads:
    """Shares of a run in the cores.

    Args:
        decode: number of threads that decode, one core each.
        models: number of threads that run the models.
        per_model: cores that each of those uses; 0 for all there are.
        cores: cores that all these threads may use at a time; None for no limit.
        videos: most videos in a batch of the models.
    """

    decode: int
    models: int
    per_model: int
    cores: int | None
    videos: int


def share_cores(settings: Settings, *, gpu: bool, cores: int) -> Threads:
    """Share the cores between the threads of a run.

    With a GPU one thread feeds it, and the cores decode. Without one, several batches on few cores
    each lose less time to waiting than one batch on all cores. Then there are more threads than
    cores, so that no core idles while a thread waits, but at most `cores` of them compute.

    Args:
        settings: of the run.
        gpu: whether the models run on a GPU.
        cores: number of cores that this process may use.
    """
    most = max(settings.clip.batch_frames // settings.clip.frames, 1)
    workers = settings.decode.workers
    if gpu:
        return Threads(workers or max(cores - 1, 1), 1, 0, None, most)
    streams = min(cores, CPU_STREAMS)
    return Threads(workers or cores, streams, cores // streams, cores, min(most, CPU_VIDEOS))


def expects_gpu(settings: Settings) -> bool:
    """Guess whether the models will run on a GPU, without importing torch.

    A wrong guess costs speed only.
    """
    if settings.device != "auto":
        return settings.device != "cpu"
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or has_nvidia_driver()


def has_nvidia_driver() -> bool:
    """Tell whether the driver of an NVIDIA GPU is loaded, of Linux or of Windows for its Linux."""
    return any(os.path.exists(driver) for driver in ("/dev/nvidiactl", "/dev/dxg"))


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
