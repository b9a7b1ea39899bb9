"""The commands: settings and flags in, something printed, an exit code out.

Results go to stdout, everything else to stderr. Heavy modules are imported by the command that
needs them: a query for a known video loads no model.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline import __version__, home
from pipeline.config import Settings
from pipeline.errors import SettingsError
from store.table import Store

if TYPE_CHECKING:
    from pipeline.flow import Flow, Summary
    from pipeline.report import Report

INTERRUPTED = 130


def scan(settings: Settings, options: argparse.Namespace) -> int:
    with _flow(settings, options) as flow:
        summary = flow.scan()
    _show_summary(summary, as_json=options.json)
    if summary.interrupted:
        return INTERRUPTED
    return 1 if options.strict and summary.failed else 0


def watch(settings: Settings, options: argparse.Namespace) -> int:
    with _flow(settings, options) as flow:
        summary = flow.watch()
    _show_summary(summary, as_json=options.json)
    return 0


def export(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.recipe import recipe_of
    from store.export import export as write

    recipe = recipe_of(settings)
    out = options.out or settings.path(settings.export.dir)
    with Store.open(settings.store_uri) as store:
        written = write(
            store,
            out,
            data_dir=home.recalled(store, settings).written,
            recipe=(recipe.visual, recipe.transcript, recipe.speech),
            version=__version__,
            models={"clip": settings.clip.model_dump(), "whisper": settings.whisper.model_dump()},
            offline=options.offline,
        )
    facts = {
        "out": str(out),
        "labeled": list(written.labeled),
        "unlabeled": list(written.unlabeled),
        "labels": dict(written.labels),
        "transcripts": written.transcripts,
        "left_out": written.left_out,
    }
    lines = [
        f"Saved labeled embeddings: torch.Size({facts['labeled']})",
        f"Saved unlabeled embeddings: torch.Size({facts['unlabeled']})",
        f"Saved {written.transcripts} transcripts",
    ]
    if written.left_out:
        lines.append(f"Left out {written.left_out} videos; manifest.json says why")
    _show(facts, [*lines, f"\nDone! Artifacts saved to: {out}"], as_json=options.json)
    return 0


def query(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline import asking

    with Store.open(settings.store_uri) as store:
        place = home.recalled(store, settings)
        if options.text is not None:
            hits = asking.by_text(store, settings, options.text, options.k, options.label)
        else:
            hits = asking.by_video(store, settings, place, options.video, options.k, options.label)
    found = [{**asdict(hit), "path": place.shown(hit.path)} for hit in hits]
    if options.json:
        _print_json(found)
    else:
        from pipeline.tables import print_hits

        print_hits(found)
    return 0


def status(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.status import describe, lines

    with Store.open(settings.store_uri) as store:
        facts = describe(store, settings, home.recalled(store, settings))
    _show(facts, lines(facts), as_json=options.json)
    return 0


def failures(settings: Settings, options: argparse.Namespace) -> int:
    with Store.open(settings.store_uri) as store:
        place = home.recalled(store, settings)
        failed = [
            {
                "path": place.shown(failure.path),
                "stage": failure.stage,
                "reason": failure.reason,
                "attempts": failure.attempts,
            }
            for failure in store.failures()
        ]
    if options.json:
        _print_json(failed)
    else:
        from pipeline.tables import print_failures

        print_failures(failed)
    return 0


def retry(settings: Settings, options: argparse.Namespace) -> int:
    with Store.open(settings.store_uri, writer=True) as store:
        forgotten = store.forget_failures()
    text = f"Forgot {forgotten} failures; the next scan tries these videos again."
    _show({"forgotten": forgotten}, [text], as_json=options.json)
    return 0


def forget(settings: Settings, options: argparse.Namespace) -> int:
    with Store.open(settings.store_uri, writer=True) as store:
        place = home.recalled(store, settings)
        known = store.known()
        rows = {path for path, row in known.items() if row.offline} if options.offline else set()
        for written in options.paths:
            meant = place.rows_of(written, known.keys() | {f.path for f in store.failures()})
            if not meant:
                raise SettingsError(f"forget {written}: nothing of that name is in the store")
            rows |= meant
        forgotten = store.remove(sorted(rows))
        store.forget_failures(sorted(rows))
    text = f"Forgot {forgotten} videos; one that is in the folder is embedded by the next scan."
    _show({"forgotten": forgotten}, [text], as_json=options.json)
    return 0


@contextmanager
def _flow(settings: Settings, options: argparse.Namespace) -> Iterator[Flow]:
    """A run over the folder that the flags name: the first interrupt ends it in good order, the
    second at once."""
    import logging

    from pipeline.flow import Flow
    from pipeline.report import LogLines, Report

    report = Report(as_json=options.log_format == "json")
    logging.basicConfig(level=logging.WARNING, handlers=[LogLines(report)], format="%(message)s")
    for ours in ("pipeline", "store"):
        logging.getLogger(ours).setLevel(logging.INFO)
    place = home.chosen(settings, options.dir)
    with Store.open(settings.store_uri, writer=True) as store:
        flow = Flow(settings, place.collection, store, report)
        home.remember(store, settings, place)
        _stop_on_signals(flow, report)
        yield flow


def _stop_on_signals(flow: Flow, report: Report) -> None:
    signals: list[int] = []

    def interrupt(number: int, _: object) -> None:
        signals.append(number)
        if len(signals) > 1:
            # Every commit is whole by itself; threads inside a model cannot be asked to leave.
            flow.abandon()
            os.write(2, b"\nStopped.\n")
            os._exit(INTERRUPTED)
        # In a thread of its own: the main thread may hold a lock that stopping needs.
        threading.Thread(target=_stop, args=(flow, report), daemon=True).start()

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _stop(flow: Flow, report: Report) -> None:
    report.say("Stopping: what is in hand is finished and written. Once more stops at once.")
    flow.stop()


def _show_summary(summary: Summary, *, as_json: bool) -> None:
    facts = asdict(summary)
    stages = facts.pop("stages")
    done = summary.embedded + summary.moved + summary.copied
    rate = done / summary.seconds if summary.seconds else 0.0
    facts["videos_per_second"] = rate
    facts["stages"] = stages
    counts = ("embedded", "unchanged", "moved", "copied", "removed", "failed")
    lines = [
        ", ".join(f"{name} {facts[name]}" for name in counts),
        f"{summary.seconds:.1f} s, {rate:.2f} videos/s",
    ]
    for name, times in stages.items():
        spent = ", ".join(f"{key.replace('_', ' ')} {value:.1f} s" for key, value in times.items())
        lines.append(f"  {name}: {spent}")
    _show(facts, lines, as_json=as_json)


def _show(facts: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    if as_json:
        _print_json(facts)
    else:
        print("\n".join(lines))


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    print()
