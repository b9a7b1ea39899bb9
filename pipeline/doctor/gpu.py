"""What `doctor` reports of an NVIDIA GPU that is there and not used, or not to be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.doctor.finding import Finding, State
from pipeline.errors import ModelError
from pipeline.models import devices
from pipeline.models.whisper_weights import INSTALL_CUBLAS, NO_CUBLAS, load_cublas
from pipeline.settings import Settings


@dataclass(frozen=True)
class Facts:
    """What this machine has.

    Args:
        has_driver: whether the driver of an NVIDIA GPU is loaded.
        torch: version of PyTorch.
        cuda: version of CUDA that PyTorch was built for; None for its CPU build.
        found: accelerators, as `found_devices` lists them.
        cublas_error: why cuBLAS 12 cannot be loaded; None where it can.
    """

    has_driver: bool
    torch: str
    cuda: str | None
    found: tuple[str, ...]
    cublas_error: str | None


def look() -> Facts:
    """Look at this machine."""
    import torch

    found, error = devices.found_devices(), None
    if any(device.startswith("cuda") for device in found):
        try:
            load_cublas()
        except ModelError as raised:
            error = str(raised)
    return Facts(devices.has_nvidia_driver(), torch.__version__, torch.version.cuda, found, error)


def findings(facts: Facts, settings: Settings) -> Iterator[Finding]:
    """Compare what is there with what the models would use."""
    if settings.device in ("cpu", "mps"):
        return
    finds_gpu = any(device.startswith("cuda") for device in facts.found)
    if facts.has_driver and not finds_gpu and facts.cuda is None:
        text = f"an NVIDIA GPU is here, but PyTorch {facts.torch} is a CPU build"
        advice = "pip uninstall torch torchvision; pip install torch torchvision"
        yield Finding("gpu", State.WARNING, text, f"{advice}; {INSTALL_CUBLAS}")
    elif facts.has_driver and not finds_gpu:
        text = f"an NVIDIA GPU is here, but PyTorch {facts.torch} (CUDA {facts.cuda}) finds none"
        advice = (
            "see whether `nvidia-smi` shows it, update the driver, look at CUDA_VISIBLE_DEVICES"
        )
        yield Finding("gpu", State.WARNING, text, advice)
    elif facts.cublas_error is not None:
        is_absent = facts.cublas_error.startswith(NO_CUBLAS)
        text = NO_CUBLAS if is_absent else facts.cublas_error
        advice = INSTALL_CUBLAS if is_absent else f"{INSTALL_CUBLAS} --force-reinstall"
        yield Finding("gpu", State.PROBLEM, text, f"{advice}; or set device = cpu")
