"""Text for people and for logs: safe names, clock times, lines of JSON."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TextIO


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


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 video`, `2 videos`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that is spelled most like this one; None where none is near."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.7)), None)


STYLES = {
    "error": "red",
    "critical": "red",
    "problem": "red",
    "warning": "yellow",
    "ok": "green",
    "match": "green",
}
"""Colours of words on a terminal, as rich names them."""


def styled(text: str, word: str, stream: TextIO) -> str:
    """Colour a text as a word of STYLES, where the stream is a terminal that shall have colours.

    NO_COLOR (no-color.org) and TERM are honoured as rich does. Other words have no colour.
    """
    if not text or word not in STYLES or not stream.isatty():
        return text
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    with console.capture() as captured:
        console.print(Text(text, STYLES[word]), end="", soft_wrap=True)
    return captured.get()


@dataclass
class _Voice:
    """How this process writes to stderr."""

    as_json: bool = False
    is_quiet: bool = False


_voice = _Voice()


def set_voice(*, as_json: bool = False, is_quiet: bool = False) -> None:
    """Set how this process writes to stderr from now on.

    Args:
        as_json: each message as one `json_line`.
        is_quiet: errors and warnings only.
    """
    _voice.as_json, _voice.is_quiet = as_json, is_quiet


def shows_bars() -> bool:
    """Tell whether a progress bar may be drawn on stderr."""
    return sys.stderr.isatty() and not (_voice.as_json or _voice.is_quiet)


def say(text: str) -> None:
    """Print a line for a person on stderr, unless only errors and warnings are wanted."""
    if not _voice.is_quiet:
        _log("info", printable(text))


def warn(text: str) -> None:
    """Print a warning on stderr."""
    _log("warning", printable(text))


def say_error(text: str, *, level: str = "error", **facts: str) -> None:
    """Print an error on stderr.

    Args:
        text: what is wrong; it may have several lines.
        level: `error` or `critical`.
        facts: more fields of a line of JSON.
    """
    _log(level, text, **facts)


def _log(level: str, text: str, **facts: str) -> None:
    if _voice.as_json:
        print(json_line(level, text, **facts), file=sys.stderr)
    else:
        lead = "" if level == "info" else styled(f"{level}:", level, sys.stderr) + " "
        print(f"{lead}{text}", file=sys.stderr)


def prepare_streams() -> None:
    """Make the standard streams safe to write to, whatever the process was started with.

    Letters that an encoding does not have are escaped. A stream that is closed gets a file of its
    own, because the next file to be opened would get its number, and what is printed: writing to
    that of stdout is an error, and what goes to that of stderr is dropped.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_unwritable() -> None:
    """Drop what stderr could not write: its terminal was closed, or whoever read it has ended.

    Python would try again when the process ends, and make the exit code 120 of it.
    """
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def json_line(level: str, text: str, **facts: object) -> str:
    """Format a log record as one JSON object, without the line break.

    Args:
        level: `info`, `warning`, `error` or `critical`.
        text: the field `message`.
        facts: more fields.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, **facts, "message": text})
