"""The program at a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

from store.table.store import Store
from tests.support.program import PROCESS_SECONDS, ROOT
from tests.support.projects import UserProject
from tests.support.rows import make_row


def test_a_person_asks_line_after_line(tmp_path: Path) -> None:
    project = UserProject.make(tmp_path / "p", clip=tmp_path / "none", whisper=tmp_path / "none")
    with Store.open(str(project.store), writer=True) as store:
        store.upsert([make_row("a.mp4")])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "run.py", "--config", project.config, "query"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    told = ""
    try:
        for line in ("--words words -k 1", "--nonsense", "\x04"):
            told += read_until(ours, "> ")
            os.write(ours, line.encode() + (b"" if line == "\x04" else b"\n"))
        assert process.wait(PROCESS_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "An empty line ends." in told
    assert "videos/a.mp4" in told
    assert re.search(r"\x1b\[31merror:\S* there is no flag --nonsense", told)


def read_until(terminal: int, end: str) -> str:
    """What a process writes up to a prompt."""
    read = b""
    while not read.decode(errors="replace").endswith(end):
        ready, _, _ = select.select([terminal], [], [], PROCESS_SECONDS)
        assert ready, f"it is silent after {read!r}"
        read += os.read(terminal, 4096)
    return read.decode()
