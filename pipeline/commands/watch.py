"""`watch`: scan, then embed videos as they land."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pipeline.commands.fetch import add_environment
from pipeline.commands.flow_run import add_engine, add_folder, run_flow
from pipeline.commands.output import add_json

if TYPE_CHECKING:
    from pipeline.config import Settings

HELP = "scan, then embed videos as they land, until Ctrl-C"
EXAMPLE = "watch ~/Videos"


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)
    add_engine(parser)
    add_json(parser)
    add_environment(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    is_followed = sys.stderr.isatty() or options.log_format == "json"
    run_flow(settings, options, lambda flow: flow.watch(), tells_each=is_followed)
    return 0
