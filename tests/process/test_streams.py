"""The program and what it is started with: streams that take nothing, encodings, Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.table.store import Store
from tests.support.program import PROCESS_SECONDS, ROOT, Finished
from tests.support.projects import UserProject
from tests.support.rows import failed, make_row

NAME = "Фильмы 🎬"  # letters that Latin-1 has none of, also such as JSON writes as two escapes


@pytest.fixture
def project(tmp_path: Path) -> UserProject:
    return UserProject.make(tmp_path / NAME, clip=tmp_path / "none", whisper=tmp_path / "none")


def in_shell(project: UserProject, command: str, redirection: str) -> Finished:
    """Run a command as a shell with this redirection starts it."""
    program = shlex.join([sys.executable, str(ROOT / "run.py"), "--config", str(project.config)])
    ended = subprocess.run(
        ["bash", "-c", f"{program} {command} {redirection}"],
        capture_output=True, encoding="utf-8", timeout=PROCESS_SECONDS, check=False,
    )  # fmt: skip
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("command", "redirection"),
    [
        ("failures", ">/dev/full"),
        ("failures --json", ">&-"),
        ("--help", ">/dev/full"),
        ("--help", ">&-"),
    ],
)
def test_output_that_cannot_be_written_is_an_error(
    project: UserProject, command: str, redirection: str
) -> None:
    ended = in_shell(project, command, redirection)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: standard output cannot be written: ")
    assert ended.stderr.count("\n") == 1


def test_without_stderr_nothing_else_gets_what_belongs_there(project: UserProject) -> None:
    """Print would take stdout in its place, and a file that is opened the number of the stream."""
    ended = in_shell(project, "query --words a --json", "2>&-")
    assert (ended.returncode, json.loads(ended.stdout), ended.stderr) == (0, [], "")
    ended = in_shell(project, "scan no/such/folder", "2>&- >&- <&-")
    assert ended.returncode == 2
    assert not project.store.exists()


def test_letters_that_an_encoding_does_not_have_are_escaped(project: UserProject) -> None:
    with Store.open(str(project.store), writer=True) as store:
        store.upsert([make_row(f"{NAME}.mp4")])
        store.record_failures([failed(f"{NAME}.mp4")])
    path = f"videos/{NAME}.mp4"

    def output(command: str, encoding: str) -> bytes:
        ended = subprocess.run(
            [sys.executable, ROOT / "run.py", "--config", project.config, *command.split()],
            env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True,
            timeout=PROCESS_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert NAME in output("failures", "utf-8").decode()  # there is nothing to escape
    assert "no video stream" in output("failures -q", "latin-1").decode("latin-1")
    (failure,) = json.loads(output("failures --json", "ascii").decode("ascii"))
    assert failure["path"] == path
    # Bytes of a file's name are what they are.
    assert output("query --words words --paths", "latin-1") == os.fsencode(f"{path}\n")
    assert output("query --words words -0", "ascii") == os.fsencode(f"{path}\0")


INTERRUPTING = """
import os, signal, sys

def interrupt(event, arguments):
    if event == "import" and arguments[0] == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(interrupt)
"""


@pytest.mark.parametrize("command", ["query --words a", "scan", "status"])
@pytest.mark.parametrize(
    "module", ["argparse", "pipeline.commands.arguments", "pydantic", "store.table.lance"]
)
def test_an_interrupt_during_imports_ends_without_a_traceback(
    project: UserProject, tmp_path: Path, module: str, command: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(module=module))
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "--config", project.config, *command.split()],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True,
        # The tests themselves may be a job in the background, which ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), timeout=PROCESS_SECONDS,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGINT, b"", b"")


def test_an_interrupt_that_is_ignored_stays_ignored(project: UserProject, tmp_path: Path) -> None:
    """As of a script's job in the background."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(module="pydantic"))
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "--config", project.config, "failures", "--json"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), timeout=PROCESS_SECONDS,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, json.loads(ended.stdout)) == (0, [])
