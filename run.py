"""The command line: `python run.py [--config FILE] [--set section.key=value ...] COMMAND`.

Exit codes: 0 done, 1 an error, 2 wrong usage or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

CONFIG = Path(__file__).resolve().with_name("config.toml")


def main(arguments: list[str] | None = None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    from pipeline import commands, config
    from pipeline.errors import PipelineError, SettingsError
    from store.errors import StoreError

    try:
        settings = config.load(options.config, options.set)
        command = getattr(commands, options.command)
        code: int = command(settings, options)
        sys.stdout.flush()
        return code
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (PipelineError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """All commands and flags."""
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
        help="how scan and watch log on stderr: lines for people, or one JSON object a line",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    scan = commands.add_parser("scan", help="embed what is new or changed, then stop")
    _add_folder(scan)
    _add_json(scan)
    scan.add_argument("--strict", action="store_true", help="exit with 1 if any video failed")

    watch = commands.add_parser("watch", help="scan, then embed videos as they land, until Ctrl-C")
    _add_folder(watch)
    _add_json(watch)

    export = commands.add_parser("export", help="write the files that a classifier trains on")
    export.add_argument("--out", type=Path, metavar="DIR", help="instead of export.dir")
    export.add_argument("--offline", action="store_true", help="also videos that are not there now")
    _add_json(export)

    query = commands.add_parser("query", help="find the most similar videos")
    what = query.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--video", type=Path, metavar="FILE", help="like this one, in the store or not"
    )
    what.add_argument("--text", metavar="WORDS", help="that show or say this")
    query.add_argument("-k", type=_count, default=10, metavar="N", help="how many (default: 10)")
    query.add_argument("--label", metavar="L", help="only videos with this label")
    _add_json(query)

    status = commands.add_parser("status", help="what is in the store, and what is not yet")
    _add_json(status)
    failures = commands.add_parser(
        "failures", help="the videos that could not be embedded, and why"
    )
    _add_json(failures)
    retry = commands.add_parser("retry", help="forget failures, so that the next scan tries again")
    _add_json(retry)
    forget = commands.add_parser("forget", help="remove rows on purpose")
    what = forget.add_mutually_exclusive_group(required=True)
    what.add_argument("--offline", action="store_true", help="all whose file is not there")
    what.add_argument("paths", nargs="*", default=[], metavar="PATH", help="videos or folders")
    _add_json(forget)
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir", nargs="?", type=Path, metavar="DIR", help="instead of data.dir, or a folder in it"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
