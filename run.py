"""The command line: `python run.py [--config FILE] [--set section.key=value ...] COMMAND`.

Exit codes: 0 done, 1 an error, 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from traceback import format_exc

CONFIG = Path(__file__).resolve().with_name("config.toml")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line; None for those of this process.
    """
    options = make_parser().parse_args(arguments)
    from pipeline import config
    from pipeline.errors import PipelineError, SettingsError
    from pipeline.terminal import json_line
    from store.errors import StoreError

    try:
        settings = config.load(options.config, options.set)
        code: int = import_module(f"pipeline.commands.{options.command}").run(settings, options)
        sys.stdout.flush()
        return code
    except (PipelineError, StoreError) as error:
        text = str(error)
        is_json = options.log_format == "json"
        print(json_line("error", text) if is_json else f"error: {text}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except BrokenPipeError:  # whoever read the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as bug:
        if options.log_format == "text":
            raise
        print(json_line("critical", repr(bug), traceback=format_exc()), file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands and flags."""
    from pipeline.commands import NAMES

    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Turn every video of a folder into vectors and words, in a local store.",
    )
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="settings")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="section.key=value",
        help="override one setting; may be given again",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="how stderr has errors and the log of scan and watch: text, or a JSON object a line",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in NAMES:
        command = import_module(f"pipeline.commands.{name}")
        command.add_flags(commands.add_parser(name, help=command.HELP, description=command.HELP))
    return parser


if __name__ == "__main__":
    sys.exit(main())
