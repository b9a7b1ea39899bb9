"""Results on stdout: one JSON document, or lines for a person."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

INTERRUPTED = 130  # exit code of a command that a signal ended before it was done


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the flag `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def show(document: Any, lines: Sequence[str], *, as_json: bool) -> None:
    """Print the document as JSON, or the lines."""
    if as_json:
        print_json(document)
    else:
        print("\n".join(lines))


def print_json(document: Any) -> None:
    """Print a document as indented JSON, in UTF-8 letters as they are."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    print()
