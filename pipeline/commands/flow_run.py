"""What `scan` and `watch` share: the run itself, how signals end it, and its summary."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.commands.output import INTERRUPTED, print_json, write
from pipeline.terminal import counted, json_line, printable
from store import memory

if TYPE_CHECKING:
    from pipeline.flow.engine import Engine
    from pipeline.flow.flow import Flow, Summary
    from pipeline.flow.progress import Report
    from pipeline.labels.landing import LandingAdvice
    from pipeline.project import Project
    from pipeline.settings import Settings

NAMED_FAILURES = 5  # of a run, by its summary

COUNTS = {name: name for name in ("embedded", "moved", "copied", "removed", "unchanged")}
COUNTS["failed"] = "failed (see `failures`)"
"""The counts of a summary, and what a person reads."""


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names the engine."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), help="instead of engine.name: who runs the stages"
    )


def with_engine(settings: Settings, options: argparse.Namespace) -> Settings:
    """Settings with the engine that the flags name, if they do."""
    if options.engine is None:
        return settings
    engine = settings.engine.model_copy(update={"name": options.engine})
    return settings.model_copy(update={"engine": engine})


def run_flow(
    settings: Settings,
    options: argparse.Namespace,
    go: Callable[[Flow], Summary],
    *,
    tells_each: bool = False,
) -> Summary:
    """Run over the folder that the flags name, and print the summary.

    The first signal ends the run in good order, the second at once.

    Args:
        settings: values of the configuration.
        options: of the command line.
        go: `Flow.scan` or `Flow.watch`.
        tells_each: whether each file that is embedded, moved, copied or removed has a line.
    """
    import logging

    from pipeline.flow.progress import LogLines, Report

    memory.share_heap()  # before Ray, Arrow and LanceDB come

    report = Report(
        as_json=options.log_format == "json",
        is_quiet=options.verbosity < 0,
        tells_each=tells_each or options.verbosity > 0,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(report)], format="%(message)s")
    for ours in ("pipeline", "store"):
        logging.getLogger(ours).setLevel(logging.INFO)
    settings = with_engine(settings, options)
    command = "scan" if options.command == "scan" else "watch"  # also of `web --watch`
    with _ray_of(settings, report) as ray:
        from pipeline.flow.flow import Flow
        from pipeline.project import Project

        with Project.open_to_scan(settings, options.dir) as project:
            landed = _advice(project, report) if command == "watch" else None
            flow = Flow(project, report, _engine_of(project, report, ray), landed)
            # Before the signals have handlers: Ctrl-C ends a download at once.
            flow.prepare(watch=command == "watch")
            with _stopped_by_signals(flow, report):
                summary = go(flow)
            document = _document(summary, project.shown)
    if report.as_json:
        report.say("summary", event="summary", **document)
    if options.json:
        print_json(document)
    elif not report.as_json and options.verbosity >= 0:
        write("".join(f"{line}\n" for line in summary_lines(document, command)))
        if options.verbosity:
            _print_stages(document["stages"])
    return summary


@contextmanager
def _ray_of(settings: Settings, report: Report) -> Iterator[Any]:
    """Give Ray, which starts or joins its cluster; None where another engine runs."""
    if settings.engine.name != "ray":
        yield None
        return
    from pipeline.cluster.session import ray_session

    address = settings.ray.address
    report.say(f"Joining the cluster at {address}" if address else "Starting Ray on this machine")
    with ray_session(settings) as ray:
        yield ray


def _engine_of(project: Project, report: Report, ray: Any) -> Engine:
    settings = project.settings
    if ray is None:
        from pipeline.flow.local import LocalEngine

        return LocalEngine(settings, report.say)
    from pipeline.cluster.engine import open_engine

    return open_engine(ray, settings, project.collection.folder, report.say)


def _advice(project: Project, report: Report) -> LandingAdvice:
    """Say the likely folder of each unlabeled video that lands, where it is sure."""
    from pipeline.commands.suggest import MIN_CONFIDENCE
    from pipeline.labels.landing import LandingAdvice

    def say(path: str, folder: str, confidence: float) -> None:
        text = f"{printable(path)} probably belongs in {printable(folder)} ({confidence:.0%} sure)"
        report.say(text, path=path, likely_folder=folder, confidence=round(confidence, 4))

    advice = LandingAdvice(project.store, project.recipe, MIN_CONFIDENCE, say)
    if not advice.is_ready and project.store.values("label"):
        report.say("New videos come with a likely folder once `suggest` has been asked")
    return advice


def _document(summary: Summary, shown: Callable[[str], str]) -> dict[str, Any]:
    """The JSON document of a run."""
    facts = asdict(summary)
    stages = facts.pop("stages")
    for times in stages.values():
        takes, queued = times.pop("takes"), times.pop("queued")
        if takes:
            times["mean_queue"] = queued / takes
    failures = [{"path": shown(path), "reason": reason} for path, reason in summary.failures]
    done = summary.embedded + summary.moved + summary.copied
    working = summary.seconds - summary.loading_seconds
    rate = done / working if working > 0 else 0.0
    return {**facts, "failures": failures, "videos_per_second": rate, "stages": stages}


def summary_lines(run: dict[str, Any], command: str) -> Iterator[str]:
    """Say what happened, what to look at, and what to type next.

    Args:
        run: the JSON document of a run.
        command: `scan` or `watch`.
    """
    if run["interrupted"] and (run["left"] or command == "scan"):
        yield f"interrupted: left for the next {command}: {counted(run['left'], 'video')}"
    happened = [f"{run[name]} {named}" for name, named in COUNTS.items() if run[name]]
    yield f"{', '.join(happened) or 'nothing to do'} in {run['seconds']:.1f} s"
    if run["videos_per_second"] and command == "scan":  # a watch mostly waits
        loading = f"without the {run['loading_seconds']:.1f} s that loading the models took"
        note = f", {loading}" if run["loading_seconds"] else ""
        yield f"{run['videos_per_second']:.2f} videos/s{note}"
    for failure in run["failures"][:NAMED_FAILURES]:
        yield f"failed: {printable(failure['path'])}: {printable(failure['reason'])}"
    if run["embedded"] and not run["interrupted"]:
        yield 'next: `query "what you look for"`, `suggest`, `check`, `plot` or `export`'


def _print_stages(stages: dict[str, dict[str, float]]) -> None:
    """Print the seconds of each stage's threads, added up, and the mean length of its queue."""
    from pipeline.commands.tables import print_table

    times = ("busy", "cpu", "waiting_for_input", "waiting_for_core", "waiting_for_output")
    header = ("stage", "busy s", "cpu s", "no input s", "no core s", "no room s", "queue")
    rows = [
        (name, *(f"{spent[each]:.1f}" for each in times), f"{spent.get('mean_queue', 0):.1f}")
        for name, spent in stages.items()
    ]
    print_table(header, rows, empty="")


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
    report.say("Stopping: finishing what was begun. Press Ctrl-C again to stop at once.")


def _leave(flow: Flow, report: Report) -> None:
    """Leave at once: every commit is whole, and threads inside a model cannot be asked to leave."""
    flow.abandon()
    stopped = json_line("info", "Stopped.") if report.as_json else "\nStopped."
    with suppress(OSError):  # a terminal that was closed
        os.write(2, f"{stopped}\n".encode())
    os._exit(INTERRUPTED)
