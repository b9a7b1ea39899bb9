"""The parser of all commands and flags: help in groups, and errors that say what was meant.

The flags of the program may stand before the command or after it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from pipeline.commands import GROUPS, NAMES
from pipeline.terminal import nearest, styled

INSTALLED = "video-vectors"
COMMON = ("config", "set_after", "verbosity", "log_format")
"""Where the flags of every command are kept after a command."""


def program_name() -> str:
    """How a person calls the program."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "run.py"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; wrong usage ends the process with exit code 2."""
    options: argparse.Namespace = make_parser().parse_args(arguments)
    options.set = [*options.set, *options.set_after]
    return options


class _Help(argparse.HelpFormatter):
    """Leaves the flags of every command out of a command's usage."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        own = [action for action in actions if action.dest not in COMMON]
        super().add_usage(usage, own, groups, prefix)


class _Parser(argparse.ArgumentParser):
    """Names what is wrong in a line, and the nearest right word."""

    commands: argparse._SubParsersAction[_Parser] | None = None

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a line; what is unknown in it is held against the flags of its command alone."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = self.commands.choices[options.command] if self.commands else self
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self._error(message)}see: {self.prog} --help\n")

    def _error(self, message: str) -> str:
        return f"{styled('error:', 'error', sys.stderr)} {self._plain(message)}\n"

    def _plain(self, message: str) -> str:
        if wrong := re.match(r"argument COMMAND: invalid choice: '(.*?)'", message):
            return f"there is no command {wrong[1]}{_did_you_mean(wrong[1], NAMES)}"
        if wrong := re.match(r"unrecognized arguments: (--[\w-]+)$", message):
            flags = list(self._option_string_actions)
            return f"there is no flag {wrong[1]}{_did_you_mean(wrong[1], flags)}"
        return message


class LineParser(_Parser):
    """Parses a line of a conversation; reports what is wrong with it in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, self._error(message))


def make_parser(name: str | None = None) -> _Parser:
    """Make the parser of all commands and flags.

    Args:
        name: how the program is called; None for the way in which this process was.
    """
    from pipeline import __version__

    commands = {name: import_module(f"pipeline.commands.{name}") for name in NAMES}
    parser = _Parser(
        prog=name or program_name(),
        usage="%(prog)s [flags] COMMAND ...",
        description="Turn every video of a folder into vectors and words, in a local store.",
        epilog=_grouped_help(commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"{INSTALLED} {__version__}"
    parser.add_argument(
        "--version", action="version", version=version, help="show the version and exit"
    )
    _add_common_flags(parser)
    parser.set_defaults(set_after=[])
    parser.commands = subparsers = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="COMMAND",
        help=argparse.SUPPRESS,
        prog=parser.prog,
    )
    for name, command in commands.items():
        subparser = subparsers.add_parser(
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            epilog=f"example: {parser.prog} {command.EXAMPLE}",
            formatter_class=_Help,
        )
        command.add_flags(subparser)
        _add_common_flags(subparser, after_command=True)
    return parser


def _add_common_flags(parser: argparse.ArgumentParser, *, after_command: bool = False) -> None:
    """Add the flags of the program; after a command they only add to, or replace, those before."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if after_command else value

    common = parser.add_argument_group("flags of every command" if after_command else "flags")
    common.add_argument(
        "--config",
        type=Path,
        default=default(None),
        metavar="FILE",
        help="settings; else $VIDEO_VECTORS_CONFIG, ./config.toml, or the program's own",
    )
    common.add_argument(
        "--set",
        action="append",
        dest="set_after" if after_command else "set",
        default=default([]),
        metavar="section.key=value",
        help="override one setting; may be repeated",
    )
    volume = common.add_mutually_exclusive_group()
    for flags, number, text in (
        (("-v", "--verbose"), 1, "say more: every detail, and each video of a scan"),
        (("-q", "--quiet"), -1, "say less: only results, warnings and errors"),
    ):
        volume.add_argument(
            *flags,
            dest="verbosity",
            action="store_const",
            const=number,
            default=default(0),
            help=text,
        )
    common.add_argument(
        "--log-format",
        choices=("text", "json"),
        default=default("text"),
        help="format of stderr (default: text); json: one object a line",
    )


def _grouped_help(commands: dict[str, Any]) -> str:
    lines = []
    for title, names in GROUPS.items():
        lines.append(f"{title}:")
        lines += [f"    {name:<10} {commands[name].HELP}" for name in names]
    return "\n".join(lines)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""
