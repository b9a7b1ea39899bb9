"""`status`: what is in the store, and what is not yet."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.output import add_json, show

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "what is in the store, and what is not yet"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline.flow.status import describe, lines
    from pipeline.project import Project

    with Project.open(settings) as project:
        facts = describe(project)
    show(facts, lines(facts), as_json=options.json)
    return 0
