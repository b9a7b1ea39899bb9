"""The tour of the demo: each command as a person would type it, and what it prints."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

Run = Callable[[Sequence[str]], int]
"""Runs the command line with these arguments; returns its exit code."""


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


def steps(folder: Path) -> list[Step]:
    """The tour through the project in a folder."""
    return [
        Step(
            "Search by meaning: why, and at which second.",
            ("query", "--text", "two red squares", "-k", "3"),
        ),
        Step(
            "Search for the very words that are said.",
            ("query", "--words", '"ask not what your country"'),
        ),
        Step(
            "Search for videos like this one.",
            ("query", "--video", f"{folder}/videos/ring/6.mp4", "-k", "3"),
        ),
        Step("A folder for each unlabeled video.", ("suggest",), 6),
        Step("What would harm a classifier.", ("check",), 5),
        Step("What could not be embedded, and why.", ("failures",), 3),
        Step(
            "A picture of the collection, to open in a browser.",
            ("plot", "--out", f"{folder}/artifacts/plot.html"),
        ),
        Step("Tensors to train a classifier on.", ("export",), 3),
    ]


def show_tour(config: Path, run: Run, program: str) -> Iterator[str]:
    """The lines of the tour, as the commands print them.

    Args:
        config: of the project, which is scanned.
        run: the command line.
        program: how a person calls it, such as `python run.py`.

    Raises:
        PipelineError: a command of the tour fails.
    """
    for step in steps(config.parent):
        yield ""
        yield f"# {step.why}"
        yield f"$ {program} --config {config} {shlex.join(step.arguments)}"
        shown = _output(run, ["--config", str(config), *step.arguments])
        yield from shown[: step.lines]
        if len(shown) > step.lines:
            yield f"... and {len(shown) - step.lines} lines more"


def _output(run: Run, arguments: Sequence[str]) -> list[str]:
    with redirect_stdout(io.StringIO()) as stream:
        code = run(arguments)
    if code:
        raise PipelineError(f"{shlex.join(arguments)}: ended with exit code {code}")
    return [line for line in stream.getvalue().splitlines() if line.strip()]
