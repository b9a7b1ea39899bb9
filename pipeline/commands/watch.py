"""`watch`: scan, then embed videos as they land."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.fetch import add_environment
from pipeline.commands.flow_run import add_engine, run_flow
from pipeline.commands.output import add_json
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "scan, then embed videos as they land, until Ctrl-C"
EXAMPLE = "watch ~/Videos"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir", nargs="?", type=Path, metavar="DIR", help="instead of data.dir; or a folder in it"
    )
    add_engine(parser)
    add_json(parser)
    add_environment(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    if options.dir is not None and options.dir.is_file():
        folder, file = (shlex.quote(str(path)) for path in (options.dir.parent, options.dir))
        raise SettingsError(
            f"{options.dir} is a file, and a watch needs a folder: `watch {folder}`;"
            f" `scan {file}` embeds this one"
        )
    is_followed = sys.stderr.isatty() or options.log_format == "json"
    run_flow(settings, options, lambda flow: flow.watch(), tells_each=is_followed)
    return 0
