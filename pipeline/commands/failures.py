"""`failures`: the videos that could not be embedded, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "videos that could not be embedded, and why"
EXAMPLE = "failures"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_failures
    from pipeline.flow.status import read_failures
    from pipeline.project import Project

    with Project.open(settings) as project:
        failures = read_failures(project)
    if options.json:
        print_json([asdict(failed) for failed in failures])
    else:
        print_failures(failures)
    return 0
