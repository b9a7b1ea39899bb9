"""What a person sees of a run, on stderr: lines, and on a terminal a progress bar.

Without a terminal a log line every few seconds stands in for the bar. In file names, characters
that could steer a terminal or forge a line are escaped.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, cast

from pipeline.outcomes import Outcome
from pipeline.terminal import STYLES, clock, json_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_SECONDS = 5.0  # between two lines of progress where there is no terminal
KEPT_FAILURES = 20  # that a summary may name; a watch may see any number

TOLD = (Outcome.EMBEDDED, Outcome.MOVED, Outcome.COPIED, Outcome.REMOVED)


class Report:
    """Prints what happens, counts what becomes of files, and shows how far the run is.

    Safe in any thread.

    Args:
        as_json: write lines of JSON, and no bar.
        is_quiet: write errors and warnings only.
        tells_each: write a line of each file that is embedded, moved, copied or removed, too.
        console: where to write; stderr by default.
        now: a clock, seconds.

    Attributes:
        counts: files by outcome.
        failures: paths and reasons of the first KEPT_FAILURES failures.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        is_quiet: bool = False,
        tells_each: bool = False,
        console: Console | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.as_json = as_json
        self.counts: Counter[Outcome] = Counter()
        self.failures: list[tuple[str, str]] = []
        self._is_quiet = is_quiet
        self._tells_each = tells_each
        self._console = console or _stderr()
        has_bar = self._console.is_terminal and not as_json and not is_quiet
        self._bar = _Bar(self._console) if has_bar else None
        self._total = 0
        self._done = 0
        self._now = now
        self._began = self._last_line = now()
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Number of files that were expected and have no outcome yet."""
        with self._lock:
            return self._total - self._done

    def say(self, text: str, **facts: object) -> None:
        """Print plain text: a line or more.

        Args:
            text: the message.
            **facts: fields of their own in JSON; else not shown.
        """
        if self._is_quiet:
            return
        if self.as_json:
            self._write_json("info", text.strip(), facts)
        else:
            self._print(text)

    def log(self, level: str, text: str, **facts: object) -> None:
        """Print a line of the log.

        Args:
            level: such as `warning`.
            text: the message.
            **facts: as for `say`, such as stage and path.
        """
        if self._is_quiet and level in ("debug", "info"):
            return
        if self.as_json:
            self._write_json(level, text, facts)
        else:
            self._print(f" {printable(text)}", lead=f"{level}:", style=STYLES.get(level, ""))

    def _write_json(self, level: str, text: str, facts: Mapping[str, object]) -> None:
        # In one call: `print` makes two, and another thread's line may come between them.
        self._console.file.write(json_line(level, text, **facts) + "\n")

    def _print(self, text: str, *, lead: str = "", style: str = "") -> None:
        from rich.text import Text

        line = Text.assemble((lead, style), text)
        self._console.print(line, highlight=False, soft_wrap=True)

    def expect(self, files: int) -> None:
        """Note that more files are on their way down the line."""
        with self._lock:
            if self._done == self._total:
                self._began = self._last_line = self._now()
                self._total = self._done = 0
            self._total += files
            if self._total and self._bar:
                self._bar.show(self._done, self._total)

    def record(self, outcome: Outcome, path: str, stage: str = "", reason: str = "") -> None:
        """Count what became of a file.

        Args:
            outcome: how it ended. Every expected file has one; a removed one was not expected.
            path: the file's key.
            stage: where it failed, else empty.
            reason: why it failed, else empty.
        """
        with self._lock:
            self.counts[outcome] += 1
            if outcome is Outcome.FAILED and len(self.failures) < KEPT_FAILURES:
                self.failures.append((path, reason))
        if outcome is Outcome.FAILED and self.as_json:
            self.log("warning", f"skipped: {reason}", stage=stage, path=path)
        elif outcome is Outcome.FAILED:
            text = f" {printable(path)} ({stage}: {printable(reason)})"
            self._print(text, lead="Skipping", style=STYLES["warning"])
        elif self._tells_each and outcome in TOLD:
            self._tell(outcome, path)
        if outcome is not Outcome.REMOVED:
            self._advance()

    def progress(self) -> tuple[int, int, float | None]:
        """Give the files of this load that are done, all of them, and files a second so far."""
        with self._lock:
            seconds = self._now() - self._began
            rate = self._done / seconds if self._done and seconds > 0 else None
            return self._done, self._total, rate

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._bar:
                self._bar.stop()

    def _tell(self, outcome: Outcome, path: str) -> None:
        if self._is_quiet or self.as_json:
            self.say(outcome.value, path=path)
        else:
            style = STYLES["ok"] if outcome is Outcome.EMBEDDED else ""
            self._print(f" {printable(path)}", lead=f"{outcome.value:<8}", style=style)

    def _advance(self) -> None:
        with self._lock:
            self._done += 1
            if self._bar:
                self._bar.show(self._done, self._total)
                return
            now = self._now()
            if now - self._last_line < LINE_SECONDS or self._done >= self._total:
                return
            self._last_line = now
            done, total = self._done, self._total
        rate = done / (now - self._began)
        left = (total - done) / rate
        self.say(
            f"{done} of {total} videos, {rate:.2f} videos/s, {clock(left)} left",
            done=done,
            total=total,
            rate=round(rate, 3),
            left=round(left, 1),
        )


class _Bar:
    """Shows a progress bar from the first call of `show` on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def show(self, done: int, total: int) -> None:
        if self._progress is None:
            self._progress = _progress(self._console)
            self._progress.add_task("Videos", total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], total=total, completed=done)

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class LogLines(logging.Handler):
    """Prints log records as lines of a report, so that they and the progress bar do not mix."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.log(record.levelname.lower(), self.format(record), stage=record.name)


def dataset_summary(labels: Iterable[str | None]) -> str:
    """Summarize a listing, in the form that the seed document has.

    Args:
        labels: the label of each video, None for an unlabeled one.
    """
    counted = Counter(labels)
    unlabeled = counted.pop(None, 0)
    names = sorted(name for name in counted if name is not None)
    return (
        "\nDataset summary:\n"
        f"  Labeled videos: {counted.total()}\n"
        f"  Unlabeled videos: {unlabeled}\n"
        f"  Categories: [{', '.join(repr(name) for name in names)}]\n"
    )


class _Stderr:
    """Writes to stderr, whose loss ends no run: its terminal was closed, or nobody reads it."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _stderr() -> Console:
    from rich.console import Console

    return Console(file=cast("IO[str]", _Stderr()))


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
