"""Flags take what they say, and refuse all else with a message that says what is allowed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.arguments import count, moment, picture, probability, seconds, share, words


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (probability, "0", 0.0),
        (probability, "1", 1.0),
        (share, "0.8", 0.8),
        (seconds, "0", 0.0),
        (seconds, "1e3", 1000.0),
        (count, "1", 1),
        (picture, "a/b.PNG", Path("a/b.PNG")),
        (moment, "2024-05-31T10:00+02:00", datetime.fromisoformat("2024-05-31T08:00+00:00")),
    ],
)
def test_what_is_allowed(type_: Callable[[str], Any], text: str, value: object) -> None:
    assert type_(text) == value


@pytest.mark.parametrize(
    ("type_", "texts", "allowed"),
    [
        (probability, ("-0.1", "1.1", "nan", "much", ""), "a number from 0 to 1"),
        (share, ("0", "1", "nan", "inf", "half"), "a number between 0 and 1"),
        (seconds, ("-1", "nan", "inf", "1:30"), "a number of seconds"),
        (count, ("0", "-1", "1.5", "many", ""), "a whole number of at least 1"),
        (picture, ("plot", "plot.jpg", ".png"), "end it with .png or .html"),
        (moment, ("yesterday", "2024-13-01", "31.5.2024"), "a date like 2024-05-31"),
        (moment, ("0001-01-01", "1677-12-31", "2262-01-01", "9999-12-31"), "from 1678 to 2261"),
    ],
)
def test_what_is_not(type_: Callable[[str], Any], texts: tuple[str, ...], allowed: str) -> None:
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError, match=allowed) as raised:
            type_(text)
        assert text in str(raised.value)


def test_text_that_is_not_utf_8_is_refused() -> None:
    assert words("köln") == "köln"
    with pytest.raises(argparse.ArgumentTypeError, match=r"'k\\udcf6ln' is not valid UTF-8"):
        words(os.fsdecode(b"k\xf6ln"))


def test_a_date_is_of_this_machines_time_zone() -> None:
    assert moment("2024-05-31") == datetime(2024, 5, 31).astimezone()
