"""What every test may use, and the guards that hold for every test."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipeline.demo.videos import RECORDING
from pipeline.demo.weights import TINY_CLIP
from tests.support import media, models
from tests.support.meaning.collection import Known, planned, write
from tests.support.projects import UserProject

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "tests" / "assets"

# Libraries keep daemon threads of their own for as long as the process lives (LanceDB's event
# loop, tqdm's monitor); threads of the project and its observers end with what started them.
OURS = ("pipeline", "store", "watchdog")
LEAK_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def whisper_dir() -> Path:
    """Whisper base, for faster-whisper."""
    return models.whisper_base()


@pytest.fixture(scope="session")
def clip_dir() -> Path:
    """ViT-B/32 with random weights: a folder for open_clip's `local-dir:`. D = 1024."""
    return models.clip_folder("base")


@pytest.fixture(scope="session")
def small_clip_dir() -> Path:
    """A CLIP of two layers for 64 pixel pictures, where only the flow matters. D = 64."""
    return models.clip_folder("small")


@pytest.fixture(scope="session")
def jfk_flac() -> Path:
    """11 s of clear English: "And so, my fellow Americans, ask not ..."."""
    return RECORDING


@pytest.fixture(scope="session")
def clips() -> tuple[Path, ...]:
    """The real videos that the project ships."""
    return tuple(sorted(ASSETS.glob("*.mp4")))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`made(name)`: a clip of the catalogue in tests.support.media, made at its first use. Do not
    change it."""
    folder = tmp_path_factory.mktemp("media")
    return functools.cache(functools.partial(media.make, folder))


@pytest.fixture(scope="session")
def known(
    run: Callable[..., Finished], whisper_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Known:
    """100 small videos of which everything is known, scanned once for all workers. Do not change
    them."""
    collection = planned(seed=1)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "known"
    with FileLock(shared / "known.lock"):
        if folder.is_dir():
            return Known(UserProject(folder), collection)
        project = UserProject.make(folder, clip=TINY_CLIP, whisper=whisper_dir)
        write(collection, project.videos)
        ended = run("--config", project.config, "scan", timeout=280)
        assert ended.returncode == 0, ended.stderr
    return Known(project, collection)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder to watch."""
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """An empty folder beside it."""
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


@pytest.fixture(scope="session")
def media_dir() -> Path | None:
    """The folder of more real media, where this machine has one."""
    named = os.environ.get("MEDIA_DIR")
    folder = Path(named) if named else ROOT.parent / "shared" / "media"
    if named and not folder.is_dir():
        raise FileNotFoundError(f"MEDIA_DIR={named}: there is no such folder")
    return folder if folder.is_dir() else None


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, nothing from the network, whatever the developer's shell says."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGING_FACE_", "HUGGINGFACE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    """A test that leaves a thread behind fails: the process would not end, or do work unasked."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + LEAK_GRACE_SECONDS
    leaked = [thread for thread in threading.enumerate() if thread not in before and _ours(thread)]
    for thread in leaked:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = [thread.name for thread in leaked if thread.is_alive()]
    if alive:
        pytest.fail(f"the test left threads running: {alive}")


def _ours(thread: threading.Thread) -> bool:
    """Not a daemon, or one that runs code of the project."""
    target = getattr(thread, "_target", None)
    target = getattr(target, "func", target)  # of a functools.partial
    modules = (type(thread).__module__, getattr(target, "__module__", None) or "")
    return not thread.daemon or any(module.split(".")[0] in OURS for module in modules)


@pytest.fixture(scope="session")
def run() -> Callable[..., Finished]:
    """Run `python run.py ARGUMENTS` to its end in a process of its own.

    `run(*arguments, cwd=ROOT, env={}, timeout=120)`; `env` is added to the environment.
    """

    def run_to_the_end(
        *arguments: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Finished:
        ended = subprocess.run(
            _command(arguments), cwd=cwd, env=os.environ | dict(env or {}), timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        return Finished(ended.returncode, ended.stdout, ended.stderr)

    return run_to_the_end


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `python run.py ARGUMENTS` and go on; whatever still runs when the test ends is killed.

    `spawn(*arguments, cwd=ROOT, env={}, **popen)` gives a Popen with text pipes for stdout
    and stderr. Read both, or give files: a full pipe stops the process.
    """
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
        process = subprocess.Popen(
            _command(arguments), cwd=cwd, env=os.environ | dict(env or {}), encoding="utf-8",
            stdin=subprocess.DEVNULL, start_new_session=True, **streams,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        _end(process)


def _command(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and those that it started, and close its pipes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.fixture(scope="session")
def new_project(small_clip_dir: Path, whisper_dir: Path) -> Callable[..., UserProject]:
    """`new_project(folder, settings="")`"""
    return functools.partial(UserProject.make, clip=small_clip_dir, whisper=whisper_dir)
