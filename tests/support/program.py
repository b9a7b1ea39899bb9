"""The command line, run inside the test process or as a process of its own."""

from __future__ import annotations

import functools
import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from run import main

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROCESS_SECONDS = 240.0  # generous: other work may run on the machine


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs `python run.py ARGUMENTS` to its end; `env` is added to the environment."""

    def __call__(
        self, *arguments: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
    ) -> Finished: ...


class Spawn(Protocol):
    """Starts `python run.py ARGUMENTS` and returns it while it runs."""

    def __call__(
        self,
        *arguments: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[str]: ...


def run_here(
    *arguments: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Finished:
    """Run the command line in this process, with models that are loaded once for all tests.

    A bug raises, in place of the traceback that a process would write.
    """
    # As a process has them: UTF-8, with escapes for what cannot be encoded.
    stdout, stderr = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
        for _ in range(2)
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        _logging_and_signals_restored(),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        patch.chdir(cwd)
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        share_models(patch)
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
    return Finished(code, *(stream.buffer.getvalue().decode() for stream in (stdout, stderr)))


def run_in_process(
    *arguments: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Finished:
    """Run the command line in a process of its own, for what only a process shows."""
    ended = subprocess.run(
        _command(arguments), cwd=cwd, env=os.environ | dict(env or {}), timeout=PROCESS_SECONDS,
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def spawning() -> Iterator[Spawn]:
    """A `Spawn`; at the end, kill what still runs.

    Its processes have text pipes for stdout and stderr. Read both, or give files: a full pipe
    stops the process.
    """
    started: list[subprocess.Popen[str]] = []

    def spawn(
        *arguments: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
        process = subprocess.Popen(
            _command(arguments), cwd=cwd, env=os.environ | dict(env or {}), encoding="utf-8",
            stdin=subprocess.DEVNULL, start_new_session=True, **streams,
        )  # fmt: skip
        started.append(process)
        return process

    try:
        yield spawn
    finally:
        for process in started:
            _end(process)


def _command(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and those that it started, and close its pipes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PROCESS_SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@contextmanager
def _logging_and_signals_restored() -> Iterator[None]:
    """Begin with no handlers of the root logger, as a process does; restore what a run changes."""
    loggers = [logging.getLogger(name) for name in (None, "pipeline", "store")]
    before = [(logger, logger.handlers[:], logger.filters[:], logger.level) for logger in loggers]
    signals = {number: signal.getsignal(number) for number in SIGNALS}
    loggers[0].handlers[:] = []
    try:
        yield
    finally:
        for logger, handlers, filters, level in before:
            logger.handlers[:], logger.filters[:] = handlers, filters
            logger.setLevel(level)
        for number, handler in signals.items():
            signal.signal(number, handler)


def share_models(patch: pytest.MonkeyPatch) -> None:
    """Load each model once for all runs in this process."""
    from pipeline.models import loaded

    patch.setattr(loaded, "ClipEncoder", _clip)
    patch.setattr(loaded, "Transcriber", _whisper)


@functools.lru_cache(maxsize=4)
def _clip(*arguments: Any, **options: Any) -> Any:
    from pipeline.models.clip import ClipEncoder

    return ClipEncoder(*arguments, **options)


@functools.lru_cache(maxsize=4)
def _whisper(*arguments: Any, **options: Any) -> Any:
    from pipeline.models.transcriber import Transcriber

    return Transcriber(*arguments, **options)
