"""`scan`: embed what is new or changed, then stop."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.fetch import add_environment
from pipeline.commands.flow_run import add_engine, run_flow
from pipeline.commands.output import INTERRUPTED, add_json

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "embed what is new or changed, then stop"
EXAMPLE = "scan ~/Videos"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="instead of data.dir; or one folder or one video in it",
    )
    add_engine(parser)
    add_json(parser)
    add_environment(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any video failed")


def run(settings: Settings, options: argparse.Namespace) -> int:
    summary = run_flow(settings, options, lambda flow: flow.scan())
    if summary.interrupted:
        return INTERRUPTED
    return 1 if options.strict and summary.failed else 0
