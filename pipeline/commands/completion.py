"""`completion`: a script by which a shell completes commands, flags and the names of files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.output import write

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = "a script to complete commands and flags in a shell"
EXAMPLE = "completion bash"
SHELLS = ("bash", "zsh", "fish", "tcsh")


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help='in ~/.bashrc: eval "$(video-vectors completion bash)", likewise in ~/.zshrc; for'
        " fish: video-vectors completion fish | source",
    )


def run(_: Settings, options: argparse.Namespace) -> int:
    import shtab

    from pipeline.commands.parser import INSTALLED, make_parser

    parser = make_parser(INSTALLED)
    assert parser.commands is not None
    parser.commands.help = "what to do"  # else it is left out, as in the help
    for each in (parser, *parser.commands.choices.values()):
        for action in each._actions:
            if action.type is Path or action.metavar == "FILE":
                names = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
                vars(action)["complete"] = names
    write(shtab.complete(parser, shell=options.shell))
    return 0
