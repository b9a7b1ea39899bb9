"""Run a module in a process of its own, where a crash or a hang ends nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KILLED_SECONDS = 5.0  # to end after the kill; a process that waits for a dead drive never does


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote.

    Args:
        exit_code: negative for the number of a signal; None where the process exceeded its limit.
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
) -> Ended:
    """Run `python -m module` to its end, or kill it.

    Args:
        module: dotted name.
        document: what the module reads from stdin, as JSON.
        limit_seconds: time after which the process is killed.
        arguments: of its command line.
        environment: variables to add to those of this process.
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
        exit_code = _wait(process, limit_seconds)
        return Ended(exit_code, *(_text(stream) for stream in (stdout, stderr)))


def _wait(process: subprocess.Popen[bytes], limit_seconds: float) -> int | None:
    try:
        return process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILLED_SECONDS)
        return None


def _text(stream: Any) -> str:
    stream.seek(0)
    text: str = stream.read().decode(errors="replace")
    return text
