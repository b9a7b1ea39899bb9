"""Runs inside the test's process, over models that a test can hold up."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from pipeline import config
from pipeline.flow.flow import Flow
from pipeline.flow.local import LocalEngine
from pipeline.flow.progress import Report
from pipeline.models.clip import ClipEncoder
from pipeline.outcomes import Outcome
from pipeline.project import Project
from pipeline.records import Prepare
from store.schema import Row
from store.table.store import Store
from tests.support.projects import UserProject
from tests.support.threads import PATIENCE

RESCAN = "watch.rescan_seconds=3600"  # what happens is found by events alone


class HeldUp:
    """Loaded models for videos without sound, which call a function before they are used.

    Args:
        clip: the image encoder.
        decodes: called by each thread that is about to decode.
        embeds: called by each thread that is about to embed.
    """

    def __init__(
        self,
        clip: ClipEncoder,
        decodes: Callable[[], object] = lambda: None,
        embeds: Callable[[], object] = lambda: None,
    ) -> None:
        self._clip = clip
        self._decodes, self._embeds = decodes, embeds
        self.loaded_clip = None
        self.loading_seconds = 0.0

    def preprocess(self) -> Prepare:
        self._decodes()
        return self._clip.preprocess

    def clip(self) -> ClipEncoder:
        self._embeds()
        return self._clip

    def whisper(self) -> Any:
        raise AssertionError("no video here has sound")


class Tally(Report):
    """A silent report that counts the files that were expected and those that came to an end."""

    def __init__(self) -> None:
        super().__init__(console=Console(file=io.StringIO()))
        self.expected = self.ended = 0
        self._tally = threading.Lock()

    def expect(self, files: int) -> None:
        with self._tally:
            self.expected += files
        super().expect(files)

    def record(self, outcome: Outcome, path: str, stage: str = "", reason: str = "") -> None:
        super().record(outcome, path, stage, reason)
        with self._tally:
            self.ended += outcome is not Outcome.REMOVED


@contextmanager
def opened(project: UserProject, models: Any, report: Report, *overrides: str) -> Iterator[Flow]:
    """A run over the project with these models."""
    settings = config.load(project.config, overrides)
    with Project.open_to_scan(settings) as made:
        yield Flow(made, report, LocalEngine(settings, report.say, models=models))


@contextmanager
def watching(project: UserProject, models: Any, report: Report, *overrides: str) -> Iterator[None]:
    """A watch in a thread of its own; what it raises is raised at the end.

    Without models it loads those of the project.
    """
    raised: list[BaseException] = []
    with opened(project, models, report, RESCAN, "watch.settle_seconds=0.2", *overrides) as flow:

        def watch() -> None:
            try:
                flow.watch()
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised.append(error)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            flow.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


def rows(project: UserProject) -> dict[str, Row]:
    """Everything in the store, by path."""
    with Store.open(str(project.store)) as store:
        return store.rows(sorted(store.known()))


def failures(project: UserProject) -> dict[str, str]:
    """Reasons of failures, by path."""
    with Store.open(str(project.store)) as store:
        return {failure.path: failure.reason for failure in store.failures()}
