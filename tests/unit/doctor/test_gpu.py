"""A GPU that is there and not used, or not to be used, is found out with the command that helps."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.doctor import gpu
from pipeline.doctor.finding import State
from pipeline.errors import ModelError
from pipeline.models import devices, whisper_weights
from pipeline.models.whisper_weights import load_whisper
from pipeline.settings import Settings
from tests.support.program import ROOT

WHOLE = gpu.Facts(has_driver=True, torch="2.9.0", cuda="13.0", found=("cuda:0",), cublas_error=None)
NO_GPU = gpu.Facts(has_driver=False, torch="2.9.0+cpu", cuda=None, found=(), cublas_error=None)
CPU_BUILD = replace(NO_GPU, has_driver=True)
NOT_FOUND = replace(WHOLE, found=())


def settings_with(*overrides: str) -> Settings:
    return load(ROOT / "config.toml", overrides)


@pytest.mark.parametrize("facts", [WHOLE, NO_GPU])
def test_nothing_is_said_where_all_is_as_it_should_be(facts: gpu.Facts) -> None:
    assert not list(gpu.findings(facts, settings_with()))


@pytest.mark.parametrize("facts", [CPU_BUILD, NOT_FOUND, replace(WHOLE, cublas_error="x")])
def test_nothing_is_said_where_the_settings_leave_the_gpu_alone(facts: gpu.Facts) -> None:
    assert not list(gpu.findings(facts, settings_with("device=cpu")))


def test_a_cpu_build_of_torch_beside_a_gpu() -> None:
    (found,) = gpu.findings(CPU_BUILD, settings_with())
    assert found.state is State.WARNING
    assert "2.9.0+cpu is a CPU build" in found.text
    assert "pip install torch torchvision" in found.advice
    assert "pip install nvidia-cublas-cu12" in found.advice


def test_a_gpu_that_torch_does_not_find() -> None:
    (found,) = gpu.findings(NOT_FOUND, settings_with())
    assert found.state is State.WARNING
    assert "(CUDA 13.0) finds none" in found.text
    assert "nvidia-smi" in found.advice


@pytest.fixture
def no_cublas(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS 12 is neither installed by pip nor by the system."""

    load = ctypes.CDLL

    def load_library(name: str, *rest: int, **named: int) -> ctypes.CDLL:
        if "cublas" in name:
            raise OSError(f"{name}: cannot open shared object file")
        return load(name, *rest, **named)

    monkeypatch.setattr(whisper_weights, "find_spec", lambda _: None)
    monkeypatch.setattr(ctypes, "CDLL", load_library)
    monkeypatch.setattr("sys.platform", "linux")


@pytest.mark.model
@pytest.mark.usefixtures("no_cublas")
def test_without_cublas_the_doctor_and_a_scan_say_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whisper_dir: Path
) -> None:
    monkeypatch.setattr(devices, "found_devices", lambda: ("cuda:0",))
    (found,) = gpu.findings(gpu.look(), settings_with())
    assert found.state is State.PROBLEM
    assert "libcublas.so.12" in found.text
    assert found.advice.startswith("pip install nvidia-cublas-cu12;")
    with pytest.raises(ModelError) as raised:
        load_whisper(str(whisper_dir), "cuda", "float16", threads=0, streams=1)
    assert str(raised.value) == f"{found.text}: {found.advice}"


def test_a_cublas_that_does_not_load_is_installed_again() -> None:
    broken = replace(WHOLE, cublas_error="/lib/libcublas.so.12: cannot be loaded: truncated")
    (found,) = gpu.findings(broken, settings_with())
    assert (found.state, found.text) == (State.PROBLEM, broken.cublas_error)
    assert "--force-reinstall" in found.advice
