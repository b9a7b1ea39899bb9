"""The parts that `doctor` looks at.

Each part runs in a process of its own, `python -m pipeline.doctor.checks PART`, with settings as
JSON on stdin and findings as lines of JSON on stdout. A library that aborts or a drive that never
answers then ends one part and not the program.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.doctor.finding import Finding, State
from pipeline.errors import PipelineError, VideoError
from pipeline.settings import Settings
from store.errors import StoreError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LEAST_PYTHON = (3, 11)
LOW_DISK_BYTES, NO_DISK_BYTES = 5 << 30, 500 << 20  # the weights alone take about 1 GB
MANY_FRAGMENTS = 200
MANY_VERSIONS = 2_000
LEAST_INOTIFY_INSTANCES = 16
INOTIFY = Path("/proc/sys/fs/inotify")

Findings = Iterator[Finding]


def machine(settings: Settings) -> Findings:
    """Check Python, packages and disk space."""
    text = f"Python {platform.python_version()} on {platform.platform(terse=True)}"
    if sys.version_info[:3] >= LEAST_PYTHON:
        yield Finding("python", State.OK, text)
    else:
        yield Finding("python", State.PROBLEM, text, "install Python 3.11 or newer")
    yield from _packages()
    yield from _disks(settings)


def _packages() -> Findings:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [Requirement(text) for text in project["dependencies"]]
    required = [each for each in required if each.marker is None or each.marker.evaluate()]
    findings = [finding for each in required if (finding := _package(each))]
    if not findings:
        shown = ", ".join(f"{name} {version(name)}" for name in ("torch", "lancedb", "av"))
        text = f"all {len(required)} are installed: {shown}, ..."
        findings.append(Finding("packages", State.OK, text))
    yield from findings


def _package(required: Requirement) -> Finding | None:
    advice = f"pip install '{required.name}{required.specifier}'"
    try:
        found = version(required.name)
    except PackageNotFoundError:
        return Finding("packages", State.PROBLEM, f"{required.name} is not installed", advice)
    if required.specifier.contains(found, prereleases=True):
        return None
    return Finding("packages", State.PROBLEM, f"{required.name} is {found}", advice)


def _disks(settings: Settings) -> Findings:
    places = {"export.dir": settings.path(settings.export.dir)}
    if "://" not in settings.store_uri:
        places["store.uri"] = Path(settings.store_uri)
    for name, place in places.items():
        try:
            folder, free = _free_bytes(place)
        except OSError as error:
            advice = f"connect its drive, or set another {name}"
            yield Finding("disk", State.PROBLEM, f"{name} = {place}: {error.strerror}", advice)
            continue
        text = f"{free / 1e9:.1f} GB free for {name} ({place})"
        if free >= LOW_DISK_BYTES:
            yield Finding("disk", State.OK, text)
        else:
            state = State.WARNING if free >= NO_DISK_BYTES else State.PROBLEM
            yield Finding("disk", state, text, "make room there")
        if not os.access(folder, os.W_OK):
            advice = f"allow it, or set another {name}"
            yield Finding("disk", State.PROBLEM, f"{folder} cannot be written", advice)


def _free_bytes(place: Path) -> tuple[Path, int]:
    """Find the nearest folder to a place that exists, and the free bytes of its disk."""
    while True:
        try:
            return place, shutil.disk_usage(place).free
        except (FileNotFoundError, NotADirectoryError):
            place = place.parent


def data(settings: Settings) -> Findings:
    """Check the folder of videos, and whether its file system reports changes to a watch."""
    from pipeline.project import Project
    from pipeline.source.listing import list_videos, no_videos

    with Project.open(settings) as project:
        collection = project.collection
    try:
        listing = list_videos(collection)
    except PipelineError as error:
        yield Finding("data.dir", State.PROBLEM, str(error))
        return
    text = f"{collection.root}: {len(listing.videos)} videos"
    text = text if listing.videos else no_videos(collection)
    empty = "put videos there, or set data.dir" if not listing.videos else ""
    yield Finding("data.dir", State.WARNING if empty else State.OK, text, empty)
    for problem in listing.problems:
        text = f"{problem.path}: {problem.reason}"
        yield Finding("data.dir", State.WARNING, text, "repair or rename it")
    yield from _file_system(collection.root)


def _file_system(root: Path) -> Findings:
    from pipeline.source.mounts import events_arrive, filesystem_at

    text = f"file system {filesystem_at(root) or 'of an unknown type'}"
    if events_arrive(root):
        yield Finding("file system", State.OK, f"{text}: it reports changes")
    else:
        advice = "nothing to do: a watch lists the folder every few seconds"
        yield Finding("file system", State.WARNING, f"{text} does not report changes", advice)
    with suppress(OSError):  # other systems have no inotify
        yield _inotify(folders=1 + sum(len(names) for _, names, _ in os.walk(root)))


def _inotify(folders: int) -> Finding:
    watches = int((INOTIFY / "max_user_watches").read_text())
    instances = int((INOTIFY / "max_user_instances").read_text())
    text = f"{watches} inotify watches for {folders} folders, {instances} instances"
    if watches >= 2 * folders and instances >= LEAST_INOTIFY_INSTANCES:
        return Finding("inotify", State.OK, text)
    advice = f"sudo sysctl fs.inotify.max_user_watches={max(8 * folders, 524_288)}"
    return Finding("inotify", State.WARNING, text, f"{advice} fs.inotify.max_user_instances=512")


def store(settings: Settings) -> Findings:
    """Check the table: fragments, versions, indexes, rows by recipe, and failures."""
    from pipeline.models.recipe import recipe_of
    from pipeline.models.weights import other_width
    from pipeline.project import open_store

    with open_store(settings) as opened:
        facts, width = opened.facts(), opened.dimension
        table = opened.videos.table
        indexes = [index.name for index in table.list_indices()] if table is not None else []
    size = f", {facts.bytes_on_disk / 1e6:.1f} MB" if facts.bytes_on_disk is not None else ""
    text = f"{settings.store_uri}: {facts.rows} rows, {facts.offline} of them offline{size}"
    yield Finding("store", State.OK, text)
    text = f"{facts.fragments} fragments, {facts.versions} versions"
    crowded = facts.fragments > MANY_FRAGMENTS or facts.versions > MANY_VERSIONS
    advice = "a scan that writes, or an idle watch, tidies the table" if crowded else ""
    yield Finding("table", State.WARNING if crowded else State.OK, text, advice)
    yield Finding("indexes", State.OK, ", ".join(indexes) or "none: search is exact")
    if facts.failures:
        text = f"{facts.failures} videos could not be embedded"
        yield Finding("failures", State.WARNING, text, "see `failures`; `retry` tries them again")
    try:
        recipe = recipe_of(settings)
        problem = other_width(settings, width, settings.store_uri)
    except PipelineError as error:
        text = "it is unknown which of them were embedded with these settings"
        yield Finding("rows", State.WARNING, text, str(error))
        return
    if problem:
        yield Finding("rows", State.PROBLEM, problem, "correct the setting")
        return
    current = facts.recipes.get(recipe, 0)
    other = sum(facts.recipes.values()) - current
    text = f"{current} embedded with these settings, {other} with others"
    advice = "run `scan` to re-embed them; until then searches and exports leave them out"
    yield Finding("rows", State.WARNING if other else State.OK, text, advice if other else "")


def device(settings: Settings) -> Findings:
    """Check the device that the models would run on."""
    import torch

    from pipeline.doctor import gpu
    from pipeline.models import devices

    yield from gpu.findings(gpu.look(), settings)
    seen = [f"{os.cpu_count()} CPU cores"]
    seen += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    seen += ["Apple MPS"] if torch.backends.mps.is_available() else []
    place = devices.choose(settings)
    precision = place.clip_precision
    if place.clip_device == "cpu" and settings.precision.cpu == "auto":
        does = "multiplies" if devices.multiplies_bfloat16() else "does not multiply"
        precision += f" (the processor {does} bfloat16 in hardware)"
    text = f"{place}, CLIP in {precision}, Whisper in {place.whisper_precision}"
    yield Finding("device", State.OK, f"{text}; this machine has {', '.join(seen)}")


def clip(settings: Settings) -> Findings:
    """Check CLIP's weights, and run one real batch through it."""
    import numpy as np
    from PIL import Image

    from pipeline.doctor import weights
    from pipeline.models.loaded import Models

    found = weights.clip(settings)
    yield found
    if found.state is State.OK:
        model = Models(settings, _quiet).clip()
        picture = model.preprocess(Image.new("RGB", (320, 240), "red"))
        batch = np.stack([picture] * settings.clip.frames)
        vectors = np.concatenate([model.encode_frames(batch), model.encode_texts(["a red wall"])])
        text = f"{len(batch)} frames and a text"
        if np.isfinite(vectors).all():
            yield Finding("clip", State.OK, f"{text} went through it")
        else:
            text = f"{text} came out as numbers that are not finite"
            advice = "set the precision of this device to float32"
            yield Finding("clip", State.PROBLEM, text, advice)


def whisper(settings: Settings) -> Findings:
    """Check Whisper's weights, and run a second of noise through it."""
    import numpy as np

    from pipeline.doctor import weights
    from pipeline.models.loaded import Models
    from pipeline.speech import SAMPLE_RATE_HZ, Span, SpeechWindow

    found = weights.whisper(settings)
    yield found
    if found.state is State.OK:
        model = Models(settings, _quiet).whisper()
        noise = np.random.default_rng(0).normal(0, 1000, SAMPLE_RATE_HZ).astype(np.int16)
        window = SpeechWindow(noise, (Span(0, 0, len(noise)),))
        (result,) = model.transcribe([[window]])
        if isinstance(result, VideoError):
            yield Finding("whisper", State.PROBLEM, result.reason, "try device = cpu")
        else:
            yield Finding("whisper", State.OK, "a second of noise went through it")


def _quiet(_: str) -> None:
    """Drop what models log while they load."""


PARTS: dict[str, Callable[[Settings], Findings]] = {
    part.__name__: part for part in (machine, device, clip, whisper, data, store)
}


def main() -> None:
    """Run the part that the command line names, and print each finding as soon as it is known."""
    question = json.load(sys.stdin)
    settings = Settings(base=Path(question["base"]), **question["settings"])
    part = sys.argv[1]
    try:
        for finding in PARTS[part](settings):
            print(finding.to_json(), flush=True)
    except (PipelineError, StoreError) as error:
        print(Finding(part, State.PROBLEM, str(error)).to_json(), flush=True)


if __name__ == "__main__":
    main()
