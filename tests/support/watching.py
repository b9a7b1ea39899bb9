"""A `watch` process to look at while it runs."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from store.errors import StoreError
from store.schema import Known
from store.table.store import Store
from tests.support.program import PROCESS_SECONDS, Spawn
from tests.support.projects import UserProject, eventually


@dataclass(frozen=True)
class Watching:
    """A `watch` process, its output in files."""

    project: UserProject
    process: subprocess.Popen[str]

    @property
    def lines(self) -> str:
        """What it has written to stderr, where that is a file."""
        file = self.project.folder / "stderr"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def told(self, text: str) -> None:
        """Wait until it has written this."""
        eventually(lambda: text in self.lines or self._ended())
        assert text in self.lines

    def rows(self) -> dict[str, Known]:
        """What is in the store just now."""
        try:
            with Store.open(str(self.project.store)) as store:
                return store.known()
        except StoreError:  # it is being made
            return {}

    def holds(self, *paths: str) -> None:
        """Wait until the store has these rows, and no others."""
        wanted = set(paths)
        eventually(lambda: self.rows().keys() == wanted or self._ended())
        assert self.rows().keys() == wanted, self.lines

    def stop(self, number: signal.Signals = signal.SIGINT) -> dict[str, Any]:
        """Ask it to stop; its summary."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> dict[str, Any]:
        """Wait until it has ended well; its summary."""
        code = self.process.wait(PROCESS_SECONDS)
        assert code == 0, f"exit code {code}: {self.lines}"
        summary: dict[str, Any] = json.loads(
            (self.project.folder / "stdout").read_text(encoding="utf-8")
        )
        return summary

    def _ended(self) -> bool:
        return self.process.poll() is not None


def start_watch(
    project: UserProject, spawn: Spawn, *flags: str, env: Mapping[str, str] | None = None
) -> Watching:
    """Start `watch`, with these flags of the whole program, and wait until it watches."""
    with ExitStack() as stack:
        out, err = (
            stack.enter_context((project.folder / name).open("w", encoding="utf-8"))
            for name in ("stdout", "stderr")
        )
        arguments = ("--config", project.config, *flags, "watch", "--json")
        watching = Watching(project, spawn(*arguments, env=env, stdout=out, stderr=err))
    watching.told("on disk = ")
    return watching
