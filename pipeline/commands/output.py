"""Results on stdout: one JSON document, or lines for a person."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, AnyStr

from pipeline.errors import PipelineError

INTERRUPTED = 130  # exit code of a command that a signal ended before it was done


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the flag `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def on_terminal() -> bool:
    """Whether a person types at stdin and reads stdout."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def write(text: str) -> None:
    """Write text to stdout at once.

    Raises:
        BrokenPipeError: nobody reads it any more.
        PipelineError: it cannot be written.
    """
    _write(text, sys.stdout)


def write_paths(paths: Iterable[str], end: str) -> None:
    """Write paths to stdout as the bytes that the file system has, whatever the encoding of stdout.

    Args:
        paths: as `os.fsdecode` gives them.
        end: what follows each of them.

    Raises:
        BrokenPipeError: nobody reads it any more.
        PipelineError: it cannot be written.
    """
    _write(b"".join(os.fsencode(f"{path}{end}") for path in paths), sys.stdout.buffer)


def show(document: Any, lines: Sequence[str], *, as_json: bool) -> None:
    """Print the document as JSON, or the lines."""
    if as_json:
        print_json(document)
    else:
        write("\n".join([*lines, ""]))


def print_json(document: Any) -> None:
    """Print a document as indented JSON, with escapes where stdout does not take all letters."""
    import orjson

    encoding = sys.stdout.encoding.lower().replace("-", "")
    if encoding == "utf8":
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        try:  # ten times as fast, and refuses names that are not Unicode
            _write(orjson.dumps(document, option=options), sys.stdout.buffer)
            return
        except orjson.JSONEncodeError:
            pass
    is_unicode = encoding.startswith("utf")
    write(json.dumps(document, ensure_ascii=not is_unicode, indent=2) + "\n")


def _write(content: AnyStr, stream: IO[AnyStr]) -> None:
    try:
        stream.write(content)
        stream.flush()
    except OSError as error:
        # What is still in the buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise PipelineError(f"standard output cannot be written: {error.strerror}") from error
