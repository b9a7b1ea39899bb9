"""What `doctor` looks at. Each part runs in a process of its own, `python -m pipeline.examining
PART`: settings as JSON from stdin, findings as JSON on stdout, so that a library that aborts or a
drive that never answers ends one part and not the program."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config import Settings
from pipeline.doctor.finding import OK, PROBLEM, WARNING, Finding
from pipeline.errors import PipelineError, VideoError
from store.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]
LEAST_PYTHON = (3, 11)
LITTLE_DISK, NO_DISK = 5 << 30, 500 << 20  # bytes: the weights alone take about 1 GB
MANY_FRAGMENTS = 200
MANY_VERSIONS = 2_000
INOTIFY = Path("/proc/sys/fs/inotify")

Findings = Iterator[Finding]


def machine(settings: Settings) -> Findings:
    """Python, packages and disk space."""
    running = sys.version_info[:3]
    text = f"Python {platform.python_version()} on {platform.platform(terse=True)}"
    if running >= LEAST_PYTHON:
        yield Finding("python", OK, text)
    else:
        yield Finding("python", PROBLEM, text, "install Python 3.11 or newer")
    yield from _packages()
    yield from _disks(settings)


def _packages() -> Findings:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    bad = 0
    for each in wanted:
        advice = f"pip install '{each.name}{each.specifier}'"
        try:
            found = version(each.name)
        except PackageNotFoundError:
            is_optional = each.name.startswith("nvidia-")
            state = WARNING if is_optional else PROBLEM
            yield Finding("packages", state, f"{each.name} is not installed", advice)
            bad += 1
            continue
        if not each.specifier.contains(found, prereleases=True):
            yield Finding("packages", PROBLEM, f"{each.name} is {found}", advice)
            bad += 1
    if not bad:
        shown = ", ".join(f"{name} {version(name)}" for name in ("torch", "lancedb", "av"))
        yield Finding("packages", OK, f"all {len(wanted)} are installed: {shown}, ...")


def _disks(settings: Settings) -> Findings:
    places = {"export.dir": settings.path(settings.export.dir)}
    if "://" not in settings.store_uri:
        places["store.uri"] = Path(settings.store_uri)
    for name, place in places.items():
        try:
            there, free = _free_bytes(place)
        except OSError as error:
            advice = f"connect its drive, or set another {name}"
            yield Finding("disk", PROBLEM, f"{name} = {place}: {error.strerror}", advice)
            continue
        text = f"{free / 1e9:.1f} GB free for {name} ({place})"
        state = OK if free >= LITTLE_DISK else WARNING if free >= NO_DISK else PROBLEM
        yield Finding("disk", state, text, "" if state == OK else "make room there")
        if not os.access(there, os.W_OK):
            advice = f"allow it, or set another {name}"
            yield Finding("disk", PROBLEM, f"{there} cannot be written", advice)


def _free_bytes(place: Path) -> tuple[Path, int]:
    """The nearest folder to a place that exists, and the free bytes of its disk."""
    there = place
    while True:
        try:
            return there, shutil.disk_usage(there).free
        except (FileNotFoundError, NotADirectoryError):
            there = there.parent


def data(settings: Settings) -> Findings:
    """The folder of videos, and whether a watch of it hears of changes."""
    from pipeline.project import Project
    from pipeline.source.listing import list_videos

    with Project.open(settings) as project:
        collection = project.collection
    try:
        listing = list_videos(collection)
    except PipelineError as error:
        yield Finding("data.dir", PROBLEM, str(error))
        return
    text = f"{collection.root}: {len(listing.videos)} videos"
    empty = "put videos there, or set data.dir" if not listing.videos else ""
    yield Finding("data.dir", WARNING if empty else OK, text, empty)
    for problem in listing.problems:
        yield Finding("data.dir", WARNING, f"{problem.path}: {problem.reason}", "mend or rename it")
    yield from _watching(collection.root)


def _watching(root: Path) -> Findings:
    from pipeline.source.mounts import events_arrive, filesystem_at

    text = f"file system {filesystem_at(root) or 'of an unknown type'}"
    if events_arrive(root):
        yield Finding("file system", OK, f"{text}: it tells of changes")
    else:
        advice = "nothing; a watch looks by itself every few seconds"
        yield Finding("file system", WARNING, f"{text} does not tell of changes", advice)
    folders = 1 + sum(len(names) for _, names, _ in os.walk(root))
    try:
        watches = int((INOTIFY / "max_user_watches").read_text())
        instances = int((INOTIFY / "max_user_instances").read_text())
    except OSError:  # not Linux
        return
    text = f"{watches} inotify watches for {folders} folders, {instances} instances"
    enough = watches >= 2 * folders and instances >= 16
    advice = f"sudo sysctl fs.inotify.max_user_watches={max(8 * folders, 524_288)}"
    advice += " fs.inotify.max_user_instances=512"
    yield Finding("inotify", OK if enough else WARNING, text, "" if enough else advice)


def store(settings: Settings) -> Findings:
    """The table: pieces, versions, indexes, and rows by recipe."""
    from pipeline.models.recipe import recipe_of
    from store.table.store import Store

    with Store.open(settings.store_uri) as opened:
        facts = opened.facts()
        table = opened.videos.table
        indexes = [index.name for index in table.list_indices()] if table is not None else []
    size = f", {facts.bytes_on_disk / 1e6:.1f} MB" if facts.bytes_on_disk is not None else ""
    text = f"{settings.store_uri}: {facts.rows} rows, {facts.offline} of them offline{size}"
    yield Finding("store", OK, text)
    pieces = f"{facts.fragments} fragments, {facts.versions} versions"
    crowded = facts.fragments > MANY_FRAGMENTS or facts.versions > MANY_VERSIONS
    advice = "a scan that writes, or an idle watch, tidies the table" if crowded else ""
    yield Finding("table", WARNING if crowded else OK, pieces, advice)
    yield Finding("indexes", OK, ", ".join(indexes) or "none: search is exact")
    try:
        recipe = recipe_of(settings)
    except PipelineError as error:
        yield Finding("rows", WARNING, "which are of this recipe cannot be told", str(error))
        return
    current = facts.recipes.get(recipe, 0)
    other = sum(facts.recipes.values()) - current
    text = f"{current} of this recipe, {other} of {len(facts.recipes) - bool(current)} others"
    advice = "scan makes those anew; until then searches and exports leave them out"
    yield Finding("rows", WARNING if other else OK, text, advice if other else "")
    if facts.failures:
        text = f"{facts.failures} videos could not be embedded"
        yield Finding("failures", WARNING, text, "see `failures`; `retry` tries them again")


def device(settings: Settings) -> Findings:
    """Where the models would run."""
    import torch

    from pipeline.models import devices

    seen = [f"{os.cpu_count()} CPU cores"]
    seen += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    seen += ["Apple MPS"] if torch.backends.mps.is_available() else []
    place = devices.choose(settings)
    text = f"{place}, CLIP in {place.clip_precision}, Whisper in {place.whisper_precision}"
    yield Finding("device", OK, f"{text}; there is: {', '.join(seen)}")


def clip(settings: Settings) -> Findings:
    """CLIP's weights, and one real batch through it."""
    import numpy as np

    from pipeline.doctor import weights
    from pipeline.models.loaded import Models

    found = weights.clip(settings)
    yield found
    if found.state == OK:
        model = Models(settings, _quiet).clip()
        from PIL import Image

        picture = model.preprocess(Image.new("RGB", (320, 240), "red"))
        batch = np.stack([picture] * settings.clip.frames)
        vectors = np.concatenate([model.encode_frames(batch), model.encode_texts(["a red wall"])])
        yield _batch("clip", bool(np.isfinite(vectors).all()), f"{len(batch)} frames and a text")


def whisper(settings: Settings) -> Findings:
    """Whisper's weights, and one real batch through it."""
    import numpy as np

    from pipeline.doctor import weights
    from pipeline.models.loaded import Models
    from pipeline.records import SAMPLE_RATE_HZ, Span, SpeechWindow

    found = weights.whisper(settings)
    yield found
    if found.state == OK:
        model = Models(settings, _quiet).whisper()
        noise = np.random.default_rng(0).normal(0, 1000, SAMPLE_RATE_HZ).astype(np.int16)
        window = SpeechWindow(noise, (Span(0, 0, len(noise)),))
        (heard,) = model.transcribe([[window]])
        if isinstance(heard, VideoError):
            yield Finding("whisper", PROBLEM, heard.reason, "try device = cpu")
        else:
            yield _batch("whisper", True, "a second of noise")


def _batch(part: str, is_finite: bool, what: str) -> Finding:
    if is_finite:
        return Finding(part, OK, f"{what} went through it")
    advice = "set precision of this device to float32"
    return Finding(part, PROBLEM, f"{what} came out as numbers that are not finite", advice)


def _quiet(_: str) -> None:
    """Models tell what they load; here nobody listens."""


PARTS: dict[str, Callable[[Settings], Findings]] = {
    part.__name__: part for part in (machine, device, clip, whisper, data, store)
}


def main() -> None:
    """The process of one part; each finding is told at once, as a line."""
    question = json.load(sys.stdin)
    settings = Settings(base=Path(question["base"]), **question["settings"])
    part = sys.argv[1]
    try:
        for finding in PARTS[part](settings):
            _tell(finding)
    except (PipelineError, StoreError) as error:
        _tell(Finding(part, PROBLEM, str(error)))


def _tell(finding: Finding) -> None:
    print(json.dumps(finding.as_dict()), flush=True)


if __name__ == "__main__":
    main()
