"""`status`: what is in the store, and what is not yet."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.flow.status import Status

HELP = "what is in the store, and what is not yet"
EXAMPLE = "status"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.flow.status import read_status
    from pipeline.project import Project

    with Project.open(settings) as project:
        status = read_status(project)
    show(asdict(status), _lines(status), as_json=options.json)
    return 0


def _lines(status: Status) -> list[str]:
    size = "" if status.bytes_on_disk is None else f": {status.bytes_on_disk / 1e6:.1f} MB"
    lines = [status.problem] if status.problem else []
    lines += [
        f"{status.data_dir}: {status.on_disk} on disk = {status.embedded} embedded"
        f" + {status.pending} pending + {status.failed} failed; {status.offline} offline",
        f"Store {status.store}{size}",
    ]
    lines += [f"  {label}: {rows}" for label, rows in status.labels.items()]
    lines.append(f"  (unlabeled): {status.unlabeled}")
    for each in status.recipes:
        lines.append(f"{each.rows} rows of {'this' if each.current else 'another'} recipe:")
        lines += [f"  visual: {each.visual}", f"  transcript: {each.transcript}"]
        lines.append(f"  speech: {each.speech}")
    return lines
