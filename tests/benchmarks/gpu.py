"""Videos per second of a scan on a GPU, against the plain recipe on the same one; and its tests.

    python -m tests.benchmarks.gpu prepare FOLDER    # on a machine with a network
    python -m tests.benchmarks.gpu run FOLDER        # on the one with the GPU: at most 8 minutes

`prepare` writes all that `run` needs, as parts of at most 60 MB: wheels of what is installed here
and not named in `--there`, Whisper base, and clips (the real ones of `end_to_end` where there are
any, else made ones). The parts may be carried one by one; `run` joins them, installs the wheels
into a folder of its own, runs tests/gpu, and then scans 500 copies of the clips, each with bytes of
its own. CLIP has random weights, which take as long as others. Half precision on both sides.

`busy` is the share of the time in which the GPU computed, as nvidia-smi samples it; what the scan's
stages waited for says what bounds it: `models` waiting for input is bounded by the decode threads.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from statistics import mean
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.benchmarks.end_to_end import chosen
from tests.benchmarks.measure import ROOT, publish, run
from tests.benchmarks.phone import Phone
from tests.benchmarks.recordings import media_folder
from tests.support.models import clip_folder, whisper_base
from tests.support.projects import distinct_copy

PART_BYTES = 60_000_000
CLIPS = 500
PLAIN_CLIPS = 50  # one after another; more would take the time of all
CLIP_BYTES = 4_000_000  # larger ones are not carried
# A GPU machine has torch built for its driver; it must not be replaced.
THERE = "torch,torchvision,triton,numpy,nvidia"
PACKAGES = (
    "open_clip_torch", "faster-whisper", "av", "lancedb", "pyarrow", "watchdog", "filelock",
    "orjson", "pydantic", "rich", "packaging", "scikit-learn", "threadpoolctl", "matplotlib",
    "opencv-python-headless", "pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "psutil",
)  # fmt: skip
CUBLAS = "nvidia-cublas-cu12"  # CTranslate2 asks for CUDA 12's by name, whatever torch has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("prepare", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of the machine with the GPU")
    parser.add_argument("--there", default=THERE, help="packages it has, by the start of the name")
    options = parser.parse_args()
    if options.step == "prepare":
        prepare(options.folder, options.python, options.there.split(","))
    else:
        test_and_measure(options.folder)


def prepare(folder: Path, python: str, there: list[str]) -> None:
    """Write the parts, and say how many there are and how large they are."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        kit = Path(scratch) / "kit"
        download(kit / "wheels", python, there)
        shutil.copytree(whisper_base(), kit / "whisper")
        (kit / "clips").mkdir()
        for number, clip in enumerate(some_clips()):
            shutil.copy(clip, kit / "clips" / f"{number:02}{clip.suffix}")
        packed = Path(scratch) / "kit.tar"
        with tarfile.open(packed, "w") as tar:
            tar.add(kit, arcname="kit")
        with packed.open("rb") as whole:
            for number, part in enumerate(iter(lambda: whole.read(PART_BYTES), b"")):
                path = folder / f"kit.tar.{number:02}"
                path.write_bytes(part)
                print(f"{path}: {len(part) / 1e6:.0f} MB")


def download(wheels: Path, python: str, there: list[str]) -> None:
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(5, 36)]
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--only-binary=:all:", f"--python-version={python}", "--implementation=cp",
            "--platform=manylinux2014_x86_64", *platforms, "--dest", wheels, *needed(there),
        ],
        check=True,
    )  # fmt: skip


def needed(there: list[str]) -> list[str]:
    """What the packages need, as this environment has it, without what the other machine has."""
    found: dict[str, str] = {}
    names = [CUBLAS, *PACKAGES]
    while names:
        name = canonicalize_name(names.pop())
        if name in found or (name.startswith(tuple(there)) and name != CUBLAS):
            continue
        package = distribution(name)
        found[name] = f"{name}=={package.version}"
        needs = (Requirement(line) for line in package.requires or ())
        names += [each.name for each in needs if not each.marker or each.marker.evaluate()]
    return sorted(found.values())


def some_clips() -> list[Path]:
    if media_folder() is None:
        return [Phone(seconds=5, sound=sound).path() for sound in ("speech", "music", "silence")]
    paths = chosen({"clear": 12, "none": 9, "no audio": 4})
    return [p for p in paths if p.suffix == ".mp4" and p.stat().st_size < CLIP_BYTES]


def test_and_measure(folder: Path) -> None:
    """Run the tests, then the scan and the plain recipe, from the parts in a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        kit = unpack(folder, Path(scratch))
        site = Path(scratch) / "site"
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                "--no-compile", "--target", site, *(kit / "wheels").glob("*.whl"),
            ],
            check=True,
        )  # fmt: skip
        os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{ROOT}"
        os.environ["VIDEO_VECTORS_GPU"] = "required"
        tests = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "tests/gpu"]
        failed = subprocess.run(tests, cwd=ROOT, check=False).returncode
        publish("gpu", [row(kit, way, Path(scratch)) for way in ("program", "today")])
    sys.exit(failed)


def unpack(folder: Path, scratch: Path) -> Path:
    whole = scratch / "kit.tar"
    with whole.open("wb") as joined:
        for part in sorted(folder.glob("kit.tar.*")):
            joined.write(part.read_bytes())
    with tarfile.open(whole) as tar:
        tar.extractall(scratch, filter="data")
    return scratch / "kit"


def row(kit: Path, way: str, scratch: Path) -> dict[str, Any]:
    """A row of the table: one way over its copies of the clips."""
    videos = scratch / way
    videos.mkdir()
    clips = sorted((kit / "clips").iterdir())
    for number in range(CLIPS if way == "program" else PLAIN_CLIPS):
        distinct_copy(clips[number % len(clips)], videos / f"{number:03}.mp4", number)
    models = (str(clip_folder("base")), str(kit / "whisper"))
    with utilisation() as samples:
        done = run(["-m", "tests.benchmarks.recipes", way, str(videos), *models, "cuda"])
    result = json.loads(done.stdout.splitlines()[-1])
    waited = result["stages"].get("models", {}).get("waiting_for_input", "")
    return {
        "card": card(),
        "way": way,
        "videos": result["videos"],
        "videos_per_second": result["videos"] / result["seconds"],
        "busy": mean(samples) / 100 if samples else "",
        "models_waited_for_input_seconds": waited,
        "seconds": result["seconds"],
        "failed": result["failed"],
    }


@contextmanager
def utilisation() -> Iterator[list[float]]:
    """Per cent of the time in which the GPU computed, five samples a second; filled at the end."""
    samples: list[float] = []
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms"]
    with subprocess.Popen([*query, "200"], stdout=subprocess.PIPE, text=True) as watching:
        yield samples
        watching.terminate()
        printed, _ = watching.communicate()
    samples += [float(line) for line in printed.split()]


def card() -> str:
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
