"""Where the models run, and in which number type."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.errors import ModelError

CPU_STREAMS = 4  # each holds the activations of its batch
CPU_VIDEOS = 8  # their words are decoded together; more would make the others wait


@dataclass(frozen=True)
class Placement:
    """Devices as torch names them, and number types.

    Args:
        clip_precision: `float32`, `float16` or `bfloat16`.
        whisper_precision: one of these, or `int8_` and one of these: weights in 8 bits, scaled row
            by row, and what is multiplied with them too; all else in the number type behind it.
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

    Raises:
        ModelError: a forced device is not there.
    """
    return place(settings, found_devices())


def found_devices() -> tuple[str, ...]:
    """What there is besides the CPU, as torch names it, the best first: `cuda:0`, ..., `mps`."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = ("mps",) if torch.backends.mps.is_available() else ()
    return (*(f"cuda:{index}" for index in range(count)), *apple)


def place(settings: Settings, found: Sequence[str]) -> Placement:
    """Resolve `device` and `precision` where these devices are found.

    CTranslate2, which runs Whisper, knows CUDA and the CPU: with MPS the speech model stays on the
    CPU.

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
            f" {', '.join([*found, 'cpu'])}; set device to auto or to one of these, or mend the"
            " driver"
        )
    kind = wanted.partition(":")[0]
    whisper = "cpu" if kind == "mps" else wanted
    return Placement(
        clip_device=wanted,
        clip_precision=getattr(settings.precision, kind),
        whisper_device=whisper,
        whisper_precision=_whisper_precision(settings, whisper.partition(":")[0]),
    )


def _whisper_precision(settings: Settings, kind: str) -> str:
    """On a CPU CTranslate2 knows no half precision. There each word costs a pass over all weights,
    so small ones are what makes it quick; but a word here and there is another, which who asks for
    faster-whisper's own words does not want."""
    number = "float32" if kind == "cpu" else getattr(settings.precision, kind)
    weights = settings.whisper.weights
    if weights == "auto":
        weights = "int8" if kind == "cpu" and settings.whisper.windows == "fitted" else "float"
    return f"int8_{number}" if weights == "int8" else number


@dataclass(frozen=True)
class Threads:
    """How a run shares the cores.

    Args:
        decode: threads that decode, one core each.
        models: threads that run the models.
        per_model: cores that one of those uses; 0 for all there are.
        cores: that all these threads may use at a time; None for any number.
        videos: the most that one of the models' threads takes at a time.
    """

    decode: int
    models: int
    per_model: int
    cores: int | None
    videos: int


def share_cores(settings: Settings, *, gpu: bool, cores: int) -> Threads:
    """With a GPU, one thread feeds it and the cores decode. On the CPU several videos at a time, on
    few cores each, lose less to waiting than one video at a time on all of them. There are more
    threads than cores, so that none idles while some wait for others, but no more compute."""
    most = max(settings.clip.batch_frames // settings.clip.frames, 1)
    workers = settings.decode.workers
    if gpu:
        return Threads(workers or max(cores - 1, 1), 1, 0, None, most)
    streams = min(cores, CPU_STREAMS)
    return Threads(workers or cores, streams, cores // streams, cores, min(most, CPU_VIDEOS))


def expects_gpu(settings: Settings) -> bool:
    """Whether the models will probably run on a GPU, told without importing torch for it; a wrong
    answer costs speed only."""
    if settings.device != "auto":
        return settings.device != "cpu"
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or any(os.path.exists(driver) for driver in ("/dev/nvidiactl", "/dev/dxg"))


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
