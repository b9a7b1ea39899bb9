"""`watch`: scan, then embed videos as they land."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.commands.flow_run import add_folder, flow_of, show_summary
from pipeline.commands.output import add_json

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "scan, then embed videos as they land, until Ctrl-C"
EXAMPLE = "watch ~/Videos"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)
    add_json(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    with flow_of(settings, options) as flow:
        summary = flow.watch()
    show_summary(summary, as_json=options.json)
    return 0
