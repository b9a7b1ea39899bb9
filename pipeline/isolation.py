"""Run a module in a process of its own, where a crash or a hang ends nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOOK_SECONDS = 0.2  # between two questions whether to go on
KILLED_SECONDS = 5.0  # to end after the kill; a process that waits for a dead drive never does


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote.

    Args:
        exit_code: negative for the number of a signal; None where the process was killed.
        stdout: text of its standard output.
        stderr: text of its standard error.
    """

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def signal(self) -> signal.Signals | None:
        """The signal that ended the process, None where none did."""
        killed = self.exit_code is not None and self.exit_code < 0
        return signal.Signals(-(self.exit_code or 0)) if killed else None


def run_module(
    module: str,
    document: Any,
    *,
    limit_seconds: float,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run `python -m module` to its end, or kill it.

    Args:
        module: dotted name.
        document: what the module reads from stdin, as JSON.
        limit_seconds: time after which the process is killed.
        arguments: of its command line.
        environment: variables to add to those of this process.
        cancelled: asked again and again; the process is killed once it answers True.
    """
    # Files, not pipes: a process that cannot be killed would keep pipes open.
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(json.dumps(document).encode())
        stdin.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=ROOT,
            env=os.environ | dict(environment or {}),
        )
        exit_code = _wait(process, limit_seconds, cancelled)
        return Ended(exit_code, *(_text(stream) for stream in (stdout, stderr)))


def _wait(
    process: subprocess.Popen[bytes], limit_seconds: float, cancelled: Callable[[], bool]
) -> int | None:
    until = time.monotonic() + limit_seconds
    while not cancelled() and (left := until - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(left, LOOK_SECONDS))
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILLED_SECONDS)
    return None


def _text(stream: Any) -> str:
    stream.seek(0)
    text: str = stream.read().decode(errors="replace")
    return text
