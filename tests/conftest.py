"""What every test may use, and the guards that hold for every test."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.support.program import ROOT, Run, Spawn, run_here, run_in_process, spawning
from tests.support.projects import UserProject

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from pipeline.models.clip import ClipEncoder
    from tests.support.meaning.collection import Known

ASSETS = ROOT / "tests" / "assets"

# No test asserts a time: other work may run on the machine. The examples of a property are others
# in each run, so that many short runs see what a long one does; `EXAMPLES=1000` is a long one.
settings.register_profile(
    "project", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "15"))
)
settings.load_profile("project")

# Libraries keep daemon threads of their own for as long as the process lives (LanceDB's event
# loop, tqdm's monitor); threads of the project and its observers end with what started them.
OURS = ("pipeline", "store", "watchdog")
LEAK_GRACE_SECONDS = 5.0

# Tests of a folder have its markers.
MARKERS = {
    "process": {"process"},
    "runs": {"process"},
    "quality": {"model"},
    "models": {"model"},
    "web": {"browser", "process"},
    "cluster": {"cluster", "process"},
    "gpu": {"gpu", "model"},
}
USES_MODELS = {"known"}  # fixtures

# The longest tests come first, so that workers end at about the same time. Each worker begins with
# an equal share of all tests in a row, and takes others from the ends of those that have more left.
FIRST = ("cluster", "process", "web", "quality", "runs", "models")

# Each takes seconds of a core to import, in every worker. So the quick loop does without them.
SLOW_IMPORTS, MAY_IMPORT = {"torch", "open_clip"}, {"model", "process"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a folder whose tests `-m "not ... and not ..."` leaves out."""
    names = config.option.markexpr.split(" and ")
    left_out = {name.removeprefix("not ") for name in names if name.startswith("not ")}
    is_plain = len(names) == len(left_out) and all(map(str.isidentifier, left_out))
    is_folder = collection_path.parent == ROOT / "tests"
    markers = MARKERS.get(collection_path.name, set()) if is_folder else set()
    return True if is_plain and markers & left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    for item in items:
        for marker in MARKERS.get(_folder(item), ()):
            item.add_marker(marker)
        if item.get_closest_marker("browser") or item.get_closest_marker("cluster"):
            item.add_marker("process")  # both are processes
        if USES_MODELS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("model")


def _turn(item: pytest.Item) -> int:
    folder = _folder(item)
    return FIRST.index(folder) if folder in FIRST else len(FIRST)


def _folder(item: pytest.Item) -> str:
    """The folder of `tests` that it is in."""
    return item.path.relative_to(ROOT / "tests").parts[0]


def pytest_collection_finish() -> None:
    """Leave the libraries, which stay until the end, to no garbage collection."""
    gc.freeze()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores, as tests wait for processes, disks and threads.

    No workers for the tests of one file, which take less time than workers take to start.
    """
    files = {argument.partition("::")[0] for argument in config.args}
    is_one_file = len(files) == 1 and files.pop().endswith(".py")
    return 0 if is_one_file else (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def whisper_dir() -> Path:
    """Whisper base, for faster-whisper."""
    from tests.support import models

    return models.whisper_base()


@pytest.fixture(scope="session")
def clip_dir() -> Path:
    """ViT-B/32 with random weights: a folder for open_clip's `local-dir:`. D = 1024."""
    from tests.support import models

    return models.clip_folder("base")


@pytest.fixture(scope="session")
def small_clip_dir() -> Path:
    """A CLIP of two layers for 64 pixel pictures, where only the flow matters. D = 64."""
    from tests.support import models

    return models.clip_folder("small")


@pytest.fixture(scope="session")
def small_clip(small_clip_dir: Path) -> ClipEncoder:
    """That, loaded."""
    from pipeline.models.clip import ClipEncoder

    return ClipEncoder(f"local-dir:{small_clip_dir}", "", device="cpu", precision="float32")


@pytest.fixture(scope="session")
def jfk_flac() -> Path:
    """11 s of clear English: "And so, my fellow Americans, ask not ..."."""
    from pipeline.demo.videos import RECORDING

    return RECORDING


@pytest.fixture(scope="session")
def clips() -> tuple[Path, ...]:
    """The real videos that the project ships."""
    return tuple(sorted(ASSETS.glob("*.mp4")))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the workers of a test run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`made(name)`: a clip of the catalogue in tests.support.media. Do not change it."""
    from tests.support import media

    return functools.cache(functools.partial(media.make, tmp_path_factory.mktemp("media")))


@pytest.fixture(scope="session")
def known(run: Run, whisper_dir: Path, shared: Path) -> Known:
    """100 small videos of which everything is known. Do not change them.

    They are made and scanned once for all workers.
    """
    from pipeline.demo.weights import TINY_CLIP
    from tests.support.meaning.collection import Known, planned, write

    collection = planned(seed=1)
    folder = shared / "known"
    with FileLock(shared / "known.lock"):
        if folder.is_dir():
            return Known(UserProject(folder), collection)
        project = UserProject.make(folder, clip=TINY_CLIP, whisper=whisper_dir)
        write(collection, project.videos)
        ended = run("--config", project.config, "scan")
        assert ended.returncode == 0, ended.stderr
    return Known(project, collection)


@pytest.fixture(scope="session")
def collection(made: Callable[[str], Path], whisper_dir: Path, shared: Path) -> UserProject:
    """33 videos in three folders and in none, for the page. Do not change them.

    They are made once for all workers.
    """
    from tests.support.pages import make_collection

    folder = shared / "collection"
    with FileLock(shared / "collection.lock"):
        if folder.is_dir():
            return UserProject(folder)
        return make_collection(folder, made("silent_audio.mp4"), whisper_dir)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Each test opens a page of its own and closes it.

    Started once a module: while it runs, asyncio.run fails in the thread of the tests.
    """
    from tests.support.browsers import opened_browser

    with opened_browser() as browser:
        yield browser


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
    """No credentials, nothing from the network, whatever the developer's shell says.

    Nor streams without buffers: what is left in one may be what goes wrong at the end of a process.
    """
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGING_FACE_", "HUGGINGFACE_", "PYTHONUNBUFFERED")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _no_slow_import(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test that makes the quick loop slow is named."""
    before = SLOW_IMPORTS & sys.modules.keys()
    yield
    imported = (SLOW_IMPORTS & sys.modules.keys()) - before
    marked = any(map(request.node.get_closest_marker, MAY_IMPORT))
    assert marked or not imported, f"mark it `model`: it imports {imported}"


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
def run() -> Run:
    """`run(*arguments, cwd=ROOT, env={})`: the command line, in this process."""
    return run_here


@pytest.fixture(scope="session")
def run_process() -> Run:
    """`run`, in a process of its own."""
    return run_in_process


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """`spawn(*arguments, cwd=ROOT, env={}, **popen)`: the command line, as a process to go on."""
    with spawning() as spawn:
        yield spawn


@pytest.fixture(scope="session")
def new_project(small_clip_dir: Path, whisper_dir: Path) -> Callable[..., UserProject]:
    """`new_project(folder, settings="")`"""
    return functools.partial(UserProject.make, clip=small_clip_dir, whisper=whisper_dir)
