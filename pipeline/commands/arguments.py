"""Types of flags: argparse calls each with the text of one, and shows its message when it is wrong.

The module that adds a flag names its type here, so that equal flags take equal values.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pipeline.source.names import is_utf8

YEARS = (1678, 2261)  # whole ones of those that fit nanoseconds in 64 bits
PICTURE_SUFFIXES = (".png", ".html", ".htm")


def probability(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, "a number from 0 to 1", lambda number: 0 <= number <= 1)


def share(text: str) -> float:
    """A number between 0 and 1, without the ends."""
    return _number(text, "a number between 0 and 1", lambda number: 0 < number < 1)


def seconds(text: str) -> float:
    """A finite number from 0 on."""
    return _number(text, "a number of seconds", lambda number: 0 <= number < math.inf)


def count(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def moment(text: str) -> datetime:
    """A date, or a date and time; in this machine's time zone where the text names none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2024-05-31") from None
    if not YEARS[0] <= when.year <= YEARS[1]:
        allowed = "a year from {} to {}".format(*YEARS)
        raise argparse.ArgumentTypeError(f"{text!r} is out of range: give {allowed}")
    return when.astimezone()


def words(text: str) -> str:
    """Text whose bytes were valid UTF-8; the store and the models take no other."""
    if not is_utf8(text):
        raise argparse.ArgumentTypeError(f"{text!a} is not valid UTF-8")
    return text


def picture(text: str) -> Path:
    """A path whose ending says which kind of picture to write."""
    path = Path(text)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text}: end it with .png or .html")
    return path


def _number(text: str, allowed: str, fits: Callable[[float], bool]) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan  # which fits nowhere
    if not fits(number):
        raise argparse.ArgumentTypeError(f"{text} is not {allowed}")
    return number
