"""Compares what a model heard with what was said, as a person reads it.

The weights in 8 bits give another comma, capital or small word on another processor; a test that
compares characters holds the output of one machine for the truth.
"""

from __future__ import annotations

import re

ASK_NOT = (
    "and so my fellow americans ask not what your country can do for you "
    "ask what you can do for your country"
)
"""What is said in the recording that the demo ships."""

NUMERALS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def words(text: str) -> list[str]:
    """Words in lower case, without punctuation, numerals up to ten as digits.

    Of a script without spaces, its characters.
    """
    found = re.findall(r"[\u3040-\u9fff]|[^\W_\u3040-\u9fff]+(?:'[^\W_]+)*", text.lower())
    return [str(NUMERALS.index(word)) if word in NUMERALS else word for word in found]


def error_rate(heard: str, said: str) -> float:
    """Word error rate: substitutions, deletions and insertions, divided by the words said."""
    ours, theirs = words(heard), words(said)
    costs = list(range(len(theirs) + 1))
    for row, our in enumerate(ours, start=1):
        diagonal, costs[0] = costs[0], row
        for column, their in enumerate(theirs, start=1):
            best = min(diagonal + (our != their), costs[column] + 1, costs[column - 1] + 1)
            diagonal, costs[column] = costs[column], best
    return costs[-1] / max(len(theirs), 1)
