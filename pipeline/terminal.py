"""Text for people and for logs: clock times, safe names, lines of JSON."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def printable(text: str) -> str:
    """The text with line breaks, control characters and undecodable bytes as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def clock(seconds: float) -> str:
    """`1:02:03` or `02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def start_of(text: str, characters: int) -> str:
    """The text, cut at a word where it is longer."""
    if len(text) <= characters:
        return text
    cut = text[: characters - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"


def say(text: str) -> None:
    """Print a line for a person, on stderr."""
    print(printable(text), file=sys.stderr)


def json_line(level: str, text: str, **facts: str) -> str:
    """One JSON object, without the line break: `time` (ISO 8601, UTC), `level`, `message`, and
    `facts` as fields of their own."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, **facts, "message": text})
