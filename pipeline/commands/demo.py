"""`demo`: a first look at everything, with no videos, no settings and no model hub."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import write

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "a tour of everything, on a small collection that it draws"
EXAMPLE = "demo"
FOLDER = Path("data/demo")


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help=f"where to make it (default: {FOLDER}); nothing outside is touched",
    )
    parser.add_argument("--web", action="store_true", help="open its page instead of the tour")


def run(_: Settings, options: argparse.Namespace) -> int:
    from pipeline.commands.main import main
    from pipeline.commands.parser import program_name
    from pipeline.demo.tour import give_tour, make_scanned

    config_home = () if options.web else ("XDG_CONFIG_HOME",)  # a browser has its profile there
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", *config_home):
        # Libraries keep what they cache inside, too.
        os.environ[name] = str(options.dir.absolute() / ".cache")
    if options.web:
        config = make_scanned(options.dir, lambda arguments: main(list(arguments)))
        return main(["--config", str(config), "web"])
    program = program_name()
    if program.endswith(".py"):
        program = f"python {program}"
    for line in give_tour(options.dir, lambda arguments: main(list(arguments)), program):
        write(f"{line}\n")
    return 0
