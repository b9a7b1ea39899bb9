"""What `scan` and `watch` share: the run itself, how signals end it, and its summary."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import INTERRUPTED, show
from pipeline.terminal import json_line

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.flow.flow import Flow, Summary
    from pipeline.flow.progress import Report


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the folder to run over."""
    parser.add_argument(
        "dir", nargs="?", type=Path, metavar="DIR", help="instead of data.dir, or a folder in it"
    )


@contextmanager
def flow_of(settings: Settings, options: argparse.Namespace) -> Iterator[Flow]:
    """Open a run over the folder that the flags name.

    The first signal ends it in good order, the second at once.
    """
    import logging

    from pipeline.flow.flow import Flow
    from pipeline.flow.progress import LogLines, Report
    from pipeline.project import Project

    report = Report(as_json=options.log_format == "json")
    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(report)], format="%(message)s")
    for ours in ("pipeline", "store"):
        logging.getLogger(ours).setLevel(logging.INFO)
    with Project.open_to_scan(settings, options.dir) as project:
        flow = Flow(project, report)
        with _stopped_by_signals(flow, report):
            yield flow


def show_summary(summary: Summary, *, as_json: bool) -> None:
    """Print counts, seconds and rate, and where the time went by stage."""
    facts = asdict(summary)
    stages = facts.pop("stages")
    done = summary.embedded + summary.moved + summary.copied
    rate = done / summary.seconds if summary.seconds else 0.0
    counts = ("embedded", "unchanged", "moved", "copied", "removed", "failed")
    lines = [
        ", ".join(f"{name} {facts[name]}" for name in counts),
        f"{summary.seconds:.1f} s, {rate:.2f} videos/s",
    ]
    for name, times in stages.items():
        takes, queued = times.pop("takes"), times.pop("queued")
        spent = ", ".join(f"{key.replace('_', ' ')} {value:.1f} s" for key, value in times.items())
        if takes:
            times["mean_queue"] = queued / takes
            spent += f"; {queued / takes:.1f} in its queue"
        lines.append(f"  {name}: {spent}")
    show({**facts, "videos_per_second": rate, "stages": stages}, lines, as_json=as_json)


@contextmanager
def _stopped_by_signals(flow: Flow, report: Report) -> Iterator[None]:
    """End the run at signals: at the first in good order, at the second at once."""
    is_stopping = False

    def handle(*_: object) -> None:
        nonlocal is_stopping
        if is_stopping:
            _leave(flow, report)
        is_stopping = True
        # In a thread of its own: the main thread may hold a lock that stopping needs.
        threading.Thread(target=_stop, args=(flow, report), daemon=True).start()

    before = {number: signal.getsignal(number) for number in _signals()}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> Iterator[signal.Signals]:
    """Signals that ask a run to stop."""
    yield from (signal.SIGINT, signal.SIGTERM)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield signal.SIGHUP  # a closed terminal, unless `nohup` has it ignored


def _stop(flow: Flow, report: Report) -> None:
    flow.stop()
    report.say("Stopping: what is in hand is finished and written. Once more stops at once.")


def _leave(flow: Flow, report: Report) -> None:
    """Leave at once: every commit is whole, and threads inside a model cannot be asked to leave."""
    flow.abandon()
    stopped = json_line("info", "Stopped.") if report.as_json else "\nStopped."
    with suppress(OSError):  # a terminal that was closed
        os.write(2, f"{stopped}\n".encode())
    os._exit(INTERRUPTED)
