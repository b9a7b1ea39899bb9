"""`status`: what is in the store, and what is not yet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show
from pipeline.terminal import printable, styled

if TYPE_CHECKING:
    from pipeline.flow.status import Status
    from pipeline.settings import Settings

HELP = "what is embedded, pending, failed and offline"
EXAMPLE = "status"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.flow.status import read_status
    from pipeline.project import Project

    with Project.open(settings) as project:
        status = read_status(project)
    lines = [*_lines(status, everything=options.verbosity > 0)]
    show(asdict(status), lines, as_json=options.json)
    return 0


def _lines(status: Status, *, everything: bool) -> Iterator[str]:
    """Say how the collection and its store stand; everything: also a single recipe."""
    if status.problem:
        yield styled("warning:", "warning", sys.stdout) + f" {status.problem}"
    for problem in status.unlisted:
        lead = styled("warning:", "warning", sys.stdout)
        yield f"{lead} {status.data_dir}/{printable(problem.path)}: {problem.reason}"
    yield (
        f"{status.data_dir}: {status.on_disk} on disk = {status.embedded} embedded"
        f" + {status.pending} pending + {status.failed} failed; {status.offline} offline"
    )
    for label, rows in status.labels.items():
        yield f"  {printable(label)}: {rows}"
    yield f"  (unlabeled): {status.unlabeled}"
    size = "" if status.bytes_on_disk is None else f", {status.bytes_on_disk / 1e6:.1f} MB"
    yield f"store: {status.store}{size}"
    if everything or any(not each.current for each in status.recipes):
        for each in status.recipes:
            settings = "these settings" if each.current else "other settings"
            yield f"{each.rows} embedded with {settings}:"
            yield f"  visual: {each.visual}"
            yield f"  transcript: {each.transcript}"
            yield f"  speech: {each.speech}"
    if status.refused:
        yield styled("warning:", "warning", sys.stdout) + f" {status.refused}"
    elif status.pending:
        yield "`scan` embeds what is pending."
    if status.failed:
        yield "`failures` says why videos failed."
    if status.offline:
        yield "Offline rows come back with their files; `forget --offline` removes them."
