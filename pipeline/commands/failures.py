"""`failures`: the videos that could not be embedded, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, print_json
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "videos that could not be embedded, and why"
EXAMPLE = "failures"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.tables import print_table
    from pipeline.flow.status import read_failures
    from pipeline.project import Project

    with Project.open(settings) as project:
        failures = read_failures(project)
    if options.json:
        print_json([asdict(failed) for failed in failures])
        return 0
    rows = [
        (
            failed.failed_at[:16].replace("T", " "),
            failed.path,
            f"{failed.stage}: {failed.reason}" + _tries(failed.attempts),
        )
        for failed in failures
    ]
    print_table(("when", "path", "why"), rows, empty="No video has failed.")
    for stage, hint in sorted({(failed.stage, failed.hint) for failed in failures}):
        say(f"{stage}: {hint}.")
    if failures:
        say("A scan tries a video again when its file or the settings change, or after `retry`.")
    return 0


def _tries(attempts: int) -> str:
    return f" ({attempts} tries)" if attempts > 1 else ""
