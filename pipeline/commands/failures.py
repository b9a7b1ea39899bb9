"""`failures`: the videos that could not be embedded, and why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "videos that could not be embedded, and why"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_failures
    from pipeline.project import Project

    with Project.open(settings) as project:
        failed = [
            {
                "path": project.shown(failure.path),
                "stage": failure.stage,
                "reason": failure.reason,
                "attempts": failure.attempts,
            }
            for failure in project.store.failures()
        ]
    if options.json:
        print_json(failed)
    else:
        print_failures(failed)
    return 0
