"""What a person sees of a run, on stderr: lines, and on a terminal a progress bar.

Without a terminal the bar becomes a log line every few seconds. File names are shown with what
could steer a terminal or forge a line escaped.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.records import Outcome
from pipeline.terminal import clock, json_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0  # between two lines of progress where there is no terminal


class Report:
    """Counts what becomes of files and tells of it. Safe in any thread.

    Args:
        as_json: write lines of JSON, and no bar.
        console: where to write; stderr by default.
        now: a clock, seconds.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        console: Console | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.as_json = as_json
        self.counts: Counter[Outcome] = Counter()
        self._console = console or _stderr()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._total = 0
        self._done = 0
        self._now = now
        self._began = self._told = now()
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One line (or more) of plain text."""
        if self.as_json:
            self.log("info", text.strip())
        else:
            self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def log(self, level: str, text: str, **facts: str) -> None:
        """A line of the log: `facts`, such as stage and path, are fields of their own in JSON."""
        if self.as_json:
            # In one call: `print` makes two, and another thread's line may come between them.
            sys.stderr.write(json_line(level, text, **facts) + "\n")
        else:
            self.say(f"{level}: {printable(text)}")

    def expect(self, files: int) -> None:
        """So many more files are on their way down the line."""
        with self._lock:
            if self._done == self._total:
                self._began = self._told = self._now()
                self._total = self._done = 0
            self._total += files
            if self._total and self._has_bar:
                self._show_bar()

    def heard(self, outcome: Outcome, path: str, stage: str, reason: str) -> None:
        """A file has come to the end of the line."""
        with self._lock:
            self.counts[outcome] += 1
        if outcome is Outcome.FAILED and self.as_json:
            self.log("warning", f"skipped: {reason}", stage=stage, path=path)
        elif outcome is Outcome.FAILED:
            self.say(f"Skipping {printable(path)} ({stage}: {printable(reason)})")
        if outcome is not Outcome.REMOVED:
            self._advance()

    @property
    def _has_bar(self) -> bool:
        return self._console.is_terminal and not self.as_json

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _advance(self) -> None:
        with self._lock:
            self._done += 1
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._done)
            elif not self._has_bar:
                self._tell_progress()

    def _tell_progress(self) -> None:
        now = self._now()
        if now - self._told < LINE_SECONDS or self._done >= self._total:
            return
        self._told = now
        rate = self._done / (now - self._began)
        left = (self._total - self._done) / rate
        self.say(f"{self._done} of {self._total} videos, {rate:.2f} videos/s, {clock(left)} left")

    def _show_bar(self) -> None:
        if self._bar is None:
            self._bar = _progress(self._console)
            self._task = self._bar.add_task("Videos", total=self._total)
            self._bar.start()
        else:
            assert self._task is not None
            self._bar.update(self._task, total=self._total, completed=self._done)


class LogLines(logging.Handler):
    """Log records as lines of the report, so that they and the progress bar do not mix."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.log(record.levelname.lower(), self.format(record), stage=record.name)


def dataset_summary(labels: Iterable[str | None]) -> str:
    """The seed document's summary of a listing, from the label of each video."""
    counted = Counter(labels)
    unlabeled = counted.pop(None, 0)
    names = sorted(name for name in counted if name is not None)
    return (
        "\nDataset summary:\n"
        f"  Labeled videos: {counted.total()}\n"
        f"  Unlabeled videos: {unlabeled}\n"
        f"  Categories: [{', '.join(repr(name) for name in names)}]\n"
    )


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _progress(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.2f} videos/s" if speed else "- videos/s")

    return Progress(
        TextColumn("{task.description}:"),
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("<"),
        TimeRemainingColumn(),
        Rate(),
        console=console,
    )
