"""Looks at every node of a cluster before anything starts: is it what the driver takes it for?

Vectors of one recipe have to be comparable, so that a node must have the same program, the same
FFmpeg and the same weights, and see the same files.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.cluster.actors import place_on_node
from pipeline.cluster.placement import Node
from pipeline.cluster.session import SHARED_MEMORY
from pipeline.decode.container import ffmpeg_version
from pipeline.errors import PipelineError
from pipeline.settings import Settings

ANSWER_SECONDS = 120.0  # weights of 3 GB are hashed meanwhile
PROBES = 8  # names at the top of the collection that a node has to see
PACKAGES = ("pipeline", "store")


@dataclass(frozen=True)
class Question:
    """What a node is asked.

    Args:
        settings: of the run.
        top: the folder that is scanned, where the driver has it.
        names: of files and folders in it.
    """

    settings: Settings
    top: Path
    names: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What a node has.

    Args:
        program: version and digest of its source.
        ffmpeg: versions of FFmpeg's libraries.
        python: version.
        weights: digest of each model's weights, by setting; None where they are not there.
        unseen: places of the collection that it does not see.
        gpus: names.
        shared_bytes: of memory for the object store; None where there is no limit of its own.
        trouble: why its models cannot be known, else empty.
    """

    program: str
    ffmpeg: str
    python: str
    weights: Mapping[str, str | None]
    unseen: tuple[str, ...]
    gpus: tuple[str, ...]
    shared_bytes: int | None
    trouble: str = ""


def question_of(settings: Settings, top: Path) -> Question:
    """Choose what to ask nodes about a collection."""
    try:
        with os.scandir(top) as entries:
            names = tuple(entry.name for entry in islice(entries, PROBES))
    except OSError:
        names = ()  # the scan itself tells why
    return Question(settings, top, names)


def look_around(question: Question, *, with_gpus: bool = False) -> Facts:
    """Collect what the machine has on which this runs.

    Args:
        question: of the driver.
        with_gpus: name its GPUs, too, for which torch is imported.
    """
    settings = question.settings
    top = place_on_node(settings, question.top)
    places = [top, *(top / name for name in question.names)]
    shared = shutil.disk_usage(SHARED_MEMORY).total if SHARED_MEMORY.exists() else None
    weights: Mapping[str, str | None] = {}
    trouble = ""
    try:
        weights = _weights(settings)
    except PipelineError as error:
        trouble = str(error)
    return Facts(
        program=_program(),
        ffmpeg=ffmpeg_version(),
        python=platform.python_version(),
        weights=weights,
        unseen=tuple(str(place) for place in places if not os.path.lexists(place))[:1],
        gpus=_gpus() if with_gpus else (),
        shared_bytes=shared,
        trouble=trouble,
    )


def ask_nodes(
    ray: Any, question: Question, nodes: Sequence[Node], *, with_gpus: bool = False
) -> dict[str, Facts | str]:
    """Ask every node; by id, what it has, or why it does not say.

    Args:
        ray: the package.
        question: of the driver.
        nodes: to ask.
        with_gpus: have those with GPUs name them.
    """
    task = ray.remote(look_around)
    asked = {}
    for node in nodes:
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        here = task.options(
            num_cpus=0, max_retries=0, scheduling_strategy=strategy(node.id, soft=False)
        )
        asked[node.id] = here.remote(question, with_gpus=with_gpus and node.gpus > 0)
    done, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_SECONDS)
    return {
        node: _answer(ray, reference) if reference in done else "it does not answer"
        for node, reference in asked.items()
    }


def problems(facts: Facts | str, own: Facts) -> list[str]:
    """Say what a node lacks for a run of this driver.

    Args:
        facts: of the node, or why there are none.
        own: of the driver's machine.
    """
    if isinstance(facts, str):
        return [facts]
    found = [
        f"has {what} {theirs}, and this machine {ours}"
        for what, theirs, ours in (
            ("the program in version", facts.program, own.program),
            ("FFmpeg", facts.ffmpeg, own.ffmpeg),
        )
        if theirs != ours
    ]
    found += [f"does not see {place}" for place in facts.unseen]
    if facts.trouble:
        found.append(facts.trouble)
    for setting, digest in facts.weights.items():
        if digest is None:
            found.append(f"does not have the weights of {setting}")
        elif own.weights.get(setting) not in (digest, None):
            found.append(f"has other weights of {setting}")
    return found


def _answer(ray: Any, reference: Any) -> Facts | str:
    try:
        facts: Facts = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ImportError):
            return f"the program is not installed there ({error.cause})"
        raise
    except ray.exceptions.RayError as error:
        return str(error).strip().partition("\n")[0]
    return facts


def _program() -> str:
    """Version, and a digest of every source file: versions under development share a number."""
    from pipeline import __version__

    root = Path(__file__).resolve().parents[2]
    files = [file for name in PACKAGES for file in sorted((root / name).rglob("*.py"))]
    return f"{__version__} ({_digest(file.read_bytes() for file in files)})"


def _weights(settings: Settings) -> dict[str, str | None]:
    """Digests of the weights of both models."""
    from pipeline.models.weights import find_clip, find_whisper

    found = [find_clip(settings), find_whisper(settings)]
    return {each.setting: _digest(_contents(each.path)) if each.path else None for each in found}


def _contents(path: Path) -> Iterable[bytes]:
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                yield hashlib.file_digest(opened, "sha256").digest()


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _gpus() -> tuple[str, ...]:
    try:
        import torch

        return tuple(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))
    except (ImportError, RuntimeError):
        return ()
