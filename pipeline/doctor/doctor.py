"""Runs each check of `pipeline.doctor.checks` in a process of its own, with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.config import Settings
from pipeline.doctor.finding import PROBLEM, Finding

LIMITS_SECONDS = {
    "machine": 30.0,
    "device": 120.0,
    "clip": 300.0,
    "whisper": 300.0,
    "data": 120.0,
    "store": 120.0,
}
"""By part, in the order that they are told in. Importing torch from a cold disk takes a while."""

KILLED_SECONDS = 5.0  # to go, after the kill; one that waits for a dead drive never does
LAST_LINES = 3  # of what a process said before it ended


def examine(settings: Settings, limits: dict[str, float] | None = None) -> Iterator[Finding]:
    """Each finding, part after part.

    Args:
        limits: seconds by part; those of LIMITS_SECONDS where none are given.
    """
    for part, limit in (limits or LIMITS_SECONDS).items():
        yield from _examine_part(settings, part, limit)


def _examine_part(settings: Settings, part: str, limit_seconds: float) -> Iterator[Finding]:
    # Files, not pipes: a process that cannot be killed would keep those open.
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        ended = _run(settings, part, limit_seconds, told.fileno(), said.fileno())
        told.seek(0)
        said.seek(0)
        lines = told.read().decode().splitlines(keepends=True)
        words = said.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]
    for line in lines:
        if line.startswith("{") and line.endswith("\n"):
            yield Finding(**json.loads(line))
    if ended is None:
        text = f"no answer within {limit_seconds:g} s"
        yield Finding(part, PROBLEM, text, "see whether a drive or a driver hangs")
    elif ended < 0:
        text = f"the process ended with {signal.Signals(-ended).name}: {' / '.join(words)}"
        yield Finding(part, PROBLEM, text, "a library or a driver is broken; try device = cpu")
    elif ended > 0:
        yield Finding(part, PROBLEM, words[-1] if words else f"exit code {ended}")


def _run(settings: Settings, part: str, limit_seconds: float, out: int, err: int) -> int | None:
    """The exit code of a part's process; None where it did not end in time."""
    question = {"base": str(settings.base), "settings": settings.model_dump()}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.doctor.checks", part],
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=err,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},  # nothing is fetched here
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(json.dumps(question).encode())
    try:
        return process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILLED_SECONDS)
        return None
