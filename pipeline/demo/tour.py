"""The tour of the demo: each command as a person would type it, and what it prints."""

from __future__ import annotations

import hashlib
import io
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from pipeline import __version__
from pipeline.demo.collection import DUPLICATE
from pipeline.demo.project import make_project
from pipeline.errors import PipelineError
from store.files import atomic_write

Run = Callable[[Sequence[str]], int]
"""Runs the command line with these arguments; returns its exit code."""

KEPT = "tour.txt"  # beside the configuration: what the tour printed


@dataclass(frozen=True)
class Step:
    """One command of the tour.

    Args:
        why: what it shows, a line.
        arguments: of the command line, without `--config`.
        lines: how many lines of its output are shown at most.
    """

    why: str
    arguments: tuple[str, ...]
    lines: int = 4


def steps(folder: Path) -> tuple[Step, ...]:
    """The tour through the project in a folder."""
    like, plot = str(folder / "videos" / DUPLICATE), str(folder / "artifacts/plot.html")
    words = '"ask not what your country"'
    return (
        Step(
            "Search by meaning: why it matches, and at which second",
            ("query", "two red squares", "-k", "2"),
        ),
        Step("Search for the very words that are said", ("query", "--words", words, "-k", "2")),
        Step("Search for videos like one", ("query", "--video", like, "-k", "2")),
        Step("Suggest a folder for each unlabeled video, and say how sure", ("suggest",), 4),
        Step("Find what would harm a classifier", ("check",), 4),
        Step("See what could not be embedded, and why", ("failures",), 3),
        Step("See the collection as a picture, in a browser", ("plot", "--out", plot)),
        Step("Write tensors to train a classifier on", ("export",), 2),
    )


def make_scanned(folder: Path, run: Run) -> Path:
    """Make the demo's project and scan it, and give its configuration.

    Args:
        folder: where the project is, or will be.
        run: the command line.

    Raises:
        ModelError: the packages with the demo's weights are not installed.
        PipelineError: the folder cannot be written, or the scan fails.
    """
    config = make_project(folder)
    _quietly(run, ["--config", str(config), "scan"])
    return config


def give_tour(folder: Path, run: Run, program: str) -> Iterator[str]:
    """Make the demo's project, scan it, and yield the lines of the tour.

    A project that did not change since its last tour repeats what that printed.

    Args:
        folder: where the project is, or will be.
        run: the command line.
        program: how a person calls it, such as `python run.py`.

    Raises:
        ModelError: the packages with the demo's weights are not installed.
        PipelineError: the folder cannot be written, or a command of the tour fails.
    """
    yield from _welcome(folder)
    config = make_project(folder)
    kept, mark = config.with_name(KEPT), _mark(folder, program)
    former = kept.read_text(encoding="utf-8") if kept.is_file() else ""
    if former.startswith(mark):
        yield from former.removeprefix(mark).splitlines()
        return
    _quietly(run, ["--config", str(config), "scan"])
    lines = []
    for line in (*_tour(config, run, program), *_what_next(config, program)):
        lines.append(line)
        yield line
    atomic_write(kept, "\n".join([mark.rstrip("\n"), *lines]) + "\n")


def _welcome(folder: Path) -> Iterator[str]:
    yield f"A small collection of drawn videos, some with real speech, in {folder}/videos."
    yield "Its CLIP is a toy that knows drawn shapes and colours only; Whisper is the real base."


def _tour(config: Path, run: Run, program: str) -> Iterator[str]:
    for step in steps(config.parent):
        yield ""
        yield f"# {step.why}"
        yield f"$ {program} --config {config} {shlex.join(step.arguments)}"
        printed = _quietly(run, ["--config", str(config), *step.arguments])
        shown = [line for line in printed.splitlines() if line.strip()]
        yield from shown[: step.lines]
        if len(shown) > step.lines:
            yield f"... {len(shown) - step.lines} more"


def _what_next(config: Path, program: str) -> Iterator[str]:
    yield ""
    yield "See, search and sort it in a browser, or go on with your own videos:"
    yield f"$ {program} --config {config} web"
    yield f"$ {program} scan ~/Videos     # once"
    yield f"$ {program} watch ~/Videos    # and go on as videos land"


def _quietly(run: Run, arguments: Sequence[str]) -> str:
    """Run a command and return its standard output; its errors are part of its failure."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        code = run(arguments)
    if code:
        raise PipelineError(
            f"demo: {shlex.join(arguments)}: exit code {code}: {errors.getvalue().strip()}"
        )
    return out.getvalue()


def _mark(folder: Path, program: str) -> str:
    """A line that changes with the program, with how it is called, and with the videos."""
    videos = sorted((folder / "videos").rglob("*.mp4"))
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in videos]
    digest = hashlib.sha256(repr((__version__, program, stamps, steps(folder))).encode())
    return f"tour {digest.hexdigest()[:16]}\n"
