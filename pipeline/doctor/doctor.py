"""Run each part of `pipeline.doctor.checks` in a process of its own, with a time limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pipeline.doctor.finding import Finding, State
from pipeline.isolation import Ended, run_module
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


def examine(
    settings: Settings, limits: dict[str, float] | None = None
) -> Generator[Finding, None, None]:
    """Yield the findings of each part, in order, as soon as it and those before it have ended.

    As many parts run at a time as there are cores: most of their time goes into imports. Closed
    early, it waits for none of them.

    Args:
        settings: which models, folders and store to look at.
        limits: seconds by part; None runs every part with its limit of LIMITS_SECONDS.
    """
    limits = limits or LIMITS_SECONDS
    left = threading.Event()
    run = partial(_run_part, settings, cancelled=left.is_set)
    with ThreadPoolExecutor(os.cpu_count() or 1, "doctor") as pool:
        parts = [(part, limit, pool.submit(run, part, limit)) for part, limit in limits.items()]
        try:
            for part, limit, ended in parts:
                yield from _findings(part, limit, ended.result())
        finally:
            left.set()  # who looks no further, or interrupts, waits for no part
            pool.shutdown(cancel_futures=True)


def _run_part(
    settings: Settings, part: str, limit_seconds: float, *, cancelled: Callable[[], bool]
) -> Ended:
    return run_module(
        "pipeline.doctor.checks",
        {"base": str(settings.base), "settings": settings.model_dump()},
        limit_seconds=limit_seconds,
        arguments=[part],
        cancelled=cancelled,
    )


def _findings(part: str, limit_seconds: float, ended: Ended) -> Iterator[Finding]:
    """Read what a part has found, and how it ended."""
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
