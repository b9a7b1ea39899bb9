"""Text for people and for logs: safe names, clock times, lines of JSON."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def printable(text: str) -> str:
    """Escape line breaks, control characters and undecodable bytes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def clock(seconds: float) -> str:
    """Format a time as `1:02:03` or `02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def start_of(text: str, characters: int) -> str:
    """Cut a text that is longer than this, at a word, and mark the cut."""
    if len(text) <= characters:
        return text
    cut = text[: characters - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"


def say(text: str) -> None:
    """Print a line for a person on stderr."""
    print(printable(text), file=sys.stderr)


def json_line(level: str, text: str, **facts: str) -> str:
    """Format a log record as one JSON object, without the line break.

    Args:
        level: `info`, `warning`, `error` or `critical`.
        text: the field `message`.
        facts: more fields.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, **facts, "message": text})
