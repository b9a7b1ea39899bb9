"""A module in a process of its own: what it answers, and how it ends."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.isolation import Ended, run_module

pytestmark = pytest.mark.process


RunCode = Callable[..., Ended]


@pytest.fixture
def run_code(tmp_path: Path) -> RunCode:
    """`run_code(code, ...)`: run a module of this text, which reads its document from stdin."""

    def run(
        code: str, limit_seconds: float = 60, document: object = None, *arguments: str
    ) -> Ended:
        (tmp_path / "isolated.py").write_text(f"import json, os, sys, time\n{code}\n")
        return run_module(
            "isolated",
            document,
            limit_seconds=limit_seconds,
            arguments=arguments,
            environment={"PYTHONPATH": str(tmp_path)},
        )

    return run


def test_a_module_reads_its_document_and_answers(run_code: RunCode) -> None:
    document = {"names": ["北京", "a\nb"] * 100_000}  # more than a pipe holds
    ended = run_code("print(json.dumps([json.load(sys.stdin), sys.argv[1:]]))", 60, document, "x")
    assert (ended.exit_code, ended.signal, ended.stderr) == (0, None, "")
    assert json.loads(ended.stdout) == [document, ["x"]]


def test_a_module_that_fails_leaves_its_words(run_code: RunCode) -> None:
    ended = run_code("print('so far'); sys.stdout.flush(); sys.exit('no such thing')")
    assert ended == Ended(1, "so far\n", "no such thing\n")


def test_a_module_that_crashes_names_its_signal(run_code: RunCode) -> None:
    ended = run_code(f"os.kill(os.getpid(), {int(signal.SIGABRT)})")
    assert (ended.exit_code, ended.signal) == (-signal.SIGABRT, signal.SIGABRT)


def test_a_module_that_is_cancelled_is_killed(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(3600)\n")
    began = time.monotonic()
    ended = run_module(
        "endless",
        None,
        limit_seconds=3600,
        environment={"PYTHONPATH": str(tmp_path)},
        cancelled=lambda: time.monotonic() > began + 0.5,
    )
    assert ended.exit_code is None
    assert time.monotonic() - began < 30


def test_a_module_that_never_ends_is_killed(run_code: RunCode) -> None:
    began = time.monotonic()
    ended = run_code("print('here', flush=True); time.sleep(3600)", 2)
    assert (ended.exit_code, ended.signal, ended.stdout) == (None, None, "here\n")
    assert time.monotonic() - began < 30
