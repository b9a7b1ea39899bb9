"""Run each part of `pipeline.doctor.checks` in a process of its own, with a time limit."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.doctor.finding import Finding, State
from pipeline.isolation import run_module
from pipeline.settings import Settings

LIMITS_SECONDS = {
    "machine": 30.0,
    "device": 120.0,
    "clip": 300.0,
    "whisper": 300.0,
    "data": 120.0,
    "store": 120.0,
}
"""By part, in the order of the report. Importing torch from a cold disk takes a while."""

LAST_LINES = 3  # of the stderr of a process that failed


def examine(settings: Settings, limits: dict[str, float] | None = None) -> Iterator[Finding]:
    """Yield the findings of each part, as soon as it has ended.

    Args:
        settings: which models, folders and store to look at.
        limits: seconds by part; None runs every part with its limit of LIMITS_SECONDS.
    """
    for part, limit in (limits or LIMITS_SECONDS).items():
        yield from _examine_part(settings, part, limit)


def _examine_part(settings: Settings, part: str, limit_seconds: float) -> Iterator[Finding]:
    ended = run_module(
        "pipeline.doctor.checks",
        {"base": str(settings.base), "settings": settings.model_dump()},
        limit_seconds=limit_seconds,
        arguments=[part],
    )
    for line in ended.stdout.splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            yield Finding.from_json(line)
    words = ended.stderr.strip().splitlines()[-LAST_LINES:]
    if ended.exit_code is None:
        text = f"no answer within {limit_seconds:g} s"
        yield Finding(part, State.PROBLEM, text, "see whether a drive or a driver hangs")
    elif ended.signal is not None:
        text = f"the process ended with {ended.signal.name}: {' / '.join(words)}"
        yield Finding(
            part, State.PROBLEM, text, "a library or a driver is broken; try device = cpu"
        )
    elif ended.exit_code > 0:
        yield Finding(part, State.PROBLEM, words[-1] if words else f"exit code {ended.exit_code}")
