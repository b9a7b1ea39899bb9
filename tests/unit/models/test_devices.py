"""The models run where a setting says, or else on the best that there is."""

from __future__ import annotations

import _ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.errors import ModelError
from pipeline.models.devices import (
    Placement,
    choose,
    found_devices,
    multiplies_bfloat16,
    place,
    share_cores,
)
from pipeline.settings import Settings
from tests.support.late import late
from tests.support.program import ROOT

torch = late("torch")

TWO_GPUS = ("cuda:0", "cuda:1")


@pytest.fixture
def _no_gpu() -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")


def with_settings(*overrides: str) -> Settings:
    return load(ROOT / "config.toml", overrides)


@pytest.mark.model
@pytest.mark.usefixtures("_no_gpu")
def test_without_a_gpu_everything_runs_on_the_cpu() -> None:
    assert found_devices() == ()
    chosen = "bfloat16" if multiplies_bfloat16() else "float32"
    assert choose(with_settings()) == Placement("cpu", chosen, "cpu", "int8_float32")


@pytest.mark.parametrize(
    ("override", "in_hardware", "otherwise"),
    [
        ("precision.cpu=auto", "bfloat16", "float32"),
        ("precision.cpu=float32", "float32", "float32"),
        ("precision.cpu=bfloat16", "bfloat16", "bfloat16"),
    ],
)
def test_a_cpu_that_multiplies_bfloat16_is_given_it(
    override: str, in_hardware: str, otherwise: str
) -> None:
    settings = with_settings(override)
    assert place(settings, (), bfloat16=True).clip_precision == in_hardware
    assert place(settings, (), bfloat16=False).clip_precision == otherwise


@pytest.mark.model
def test_the_processor_is_asked_for_bfloat16_and_not_its_name() -> None:
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        pytest.skip("this system has no /proc/cpuinfo")
    assert multiplies_bfloat16() == bool(flags & {"avx512_bf16", "amx_bf16"})


@pytest.mark.model
@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_forced_device_that_is_not_there_is_an_error(device: str) -> None:
    with pytest.raises(ModelError, match=rf"^device = {device}: .*only cpu; set device to auto"):
        choose(with_settings(f"device={device}"))


@pytest.mark.parametrize(
    ("device", "found", "clip", "whisper"),
    [
        ("auto", TWO_GPUS, "cuda", "cuda"),
        ("auto", ("mps",), "mps", "cpu"),
        ("auto", (), "cpu", "cpu"),
        ("cuda", TWO_GPUS, "cuda", "cuda"),
        ("cuda:1", TWO_GPUS, "cuda:1", "cuda:1"),
        ("cpu", TWO_GPUS, "cpu", "cpu"),
    ],
)
def test_the_best_device_or_the_forced_one(
    device: str, found: tuple[str, ...], clip: str, whisper: str
) -> None:
    overrides = [f"device={device}", "precision.cuda=bfloat16", "precision.mps=float16"]
    placement = place(with_settings(*overrides), found)
    of_clip = {"cuda": "bfloat16", "mps": "float16", "cpu": "float32"}
    of_whisper = {"cuda": "bfloat16", "cpu": "int8_float32"}
    assert placement == Placement(
        clip, of_clip[clip.split(":")[0]], whisper, of_whisper[whisper.split(":")[0]]
    )


@pytest.mark.parametrize(
    ("overrides", "on_cpu", "on_gpu"),
    [
        ((), "int8_float32", "float16"),
        (("precision.cpu=bfloat16", "precision.cuda=float32"), "int8_float32", "float32"),
        (("whisper.windows=full",), "float32", "float16"),
        (("whisper.windows=full", "whisper.weights=int8"), "int8_float32", "int8_float16"),
        (("whisper.weights=float",), "float32", "float16"),
        (("whisper.weights=int8", "precision.cuda=bfloat16"), "int8_float32", "int8_bfloat16"),
    ],
)
def test_whisper_has_small_weights_where_they_pay(
    overrides: tuple[str, ...], on_cpu: str, on_gpu: str
) -> None:
    settings = with_settings(*overrides)
    assert place(settings, ()).whisper_precision == on_cpu
    assert place(settings, TWO_GPUS).whisper_precision == on_gpu


def test_the_second_gpu_of_one_is_an_error_that_names_the_first() -> None:
    with pytest.raises(ModelError, match=r"device = cuda:1: .*only cuda:0, cpu"):
        place(with_settings("device=cuda:1"), ("cuda:0",))


def test_a_placement_names_both_devices_where_they_differ() -> None:
    assert str(place(with_settings(), TWO_GPUS)) == "cuda"
    assert str(place(with_settings(), ("mps",))) == "mps (speech: cpu)"


@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
def test_cores_are_shared_and_not_promised_twice(cores: int) -> None:
    on_cpu = share_cores(with_settings(), gpu=False, cores=cores)
    assert on_cpu.decode == on_cpu.cores == cores
    assert 1 <= on_cpu.models * on_cpu.per_model <= cores
    on_gpu = share_cores(with_settings(), gpu=True, cores=cores)
    assert on_gpu.models == 1
    for threads in (on_cpu, on_gpu):
        assert 1 <= threads.decode <= cores
        assert threads.videos >= 1
    assert share_cores(with_settings("decode.workers=5"), gpu=True, cores=cores).decode == 5
    tall = with_settings("clip.frames=1000", "clip.batch_frames=1")
    assert share_cores(tall, gpu=True, cores=cores).videos == 1


LOAD = """
from pipeline.errors import ModelError
from pipeline.models.whisper_weights import load_cublas
try:
    load_cublas()
except ModelError as error:
    print("ModelError:", error)
print(open("/proc/self/maps").read())
"""


@pytest.fixture
def cublas(tmp_path: Path) -> Path:
    """The folder of the libraries, laid out as the package nvidia-cublas-cu12 does it."""
    libraries = tmp_path / "nvidia" / "cublas" / "lib"
    libraries.mkdir(parents=True)
    for folder in (libraries.parent, libraries.parents[1]):
        (folder / "__init__.py").touch()
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        shutil.copy(_ctypes.__file__, libraries / name)  # a small library that loads
    return libraries


def load_in_a_process(packages: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ended.stdout


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the package is for Linux")
def test_cublas_is_loaded_from_where_pip_puts_it(tmp_path: Path, cublas: Path) -> None:
    loaded = load_in_a_process(tmp_path)
    assert str(cublas / "libcublasLt.so.12") in loaded
    assert str(cublas / "libcublas.so.12") in loaded
    assert "ModelError" not in loaded


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the package is for Linux")
def test_a_broken_cublas_is_named(tmp_path: Path, cublas: Path) -> None:
    (cublas / "libcublas.so.12").write_bytes(b"not a library")
    error = load_in_a_process(tmp_path).splitlines()[0]
    assert error.startswith(f"ModelError: {cublas}/libcublas.so.12: cannot be loaded: ")
    assert "Install nvidia-cublas-cu12 again" in error


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the package is for Linux")
def test_without_the_package_the_command_that_installs_it_is_named(
    tmp_path: Path, cublas: Path
) -> None:
    shutil.rmtree(cublas)
    error, *loaded = load_in_a_process(tmp_path).splitlines()
    assert "libcublas.so.12" in error
    assert "pip install nvidia-cublas-cu12" in error
    assert not [line for line in loaded if "libcublas" in line]
