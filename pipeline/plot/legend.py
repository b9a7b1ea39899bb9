"""Which labels a plot shows, in which order and colour, and what its title says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TITLE = "t-SNE Visualization of Video Embeddings"
UNLABELED = "(unlabeled)"
GREY = "#9a9a9a"


@dataclass(frozen=True)
class Group:
    """One entry of the legend.

    Args:
        name: label.
        colour: as `#rrggbb`.
        rows: positions of its videos.
    """

    name: str
    colour: str
    rows: tuple[int, ...]


def groups(labels: Sequence[str | None]) -> list[Group]:
    """Make the legend: labels in natural order, each in a colour of its own, then the unlabeled.

    Args:
        labels: label of each video; None for an unlabeled one.
    """
    rows: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    rest = rows.pop(None, [])
    names = sorted((name for name in rows if name is not None), key=natural)
    found = [
        Group(name, colour, tuple(rows[name]))
        for name, colour in zip(names, _colours(len(names)), strict=True)
    ]
    return [*found, Group(UNLABELED, GREY, tuple(rest))] if rest else found


def natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key that sorts names as people count: label2 before label10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(text != "", int(digits or 0), text.casefold()) for digits, text in parts], name


def caption(videos: int, collection: str) -> str:
    """Say how many videos of which collection a plot shows.

    Args:
        videos: how many.
        collection: its folder, as a person wrote it.
    """
    return f"{videos:,} video{'s' * (videos != 1)} in {collection}"


def _colours(n: int) -> list[str]:
    """Return colours that differ: matplotlib's for few labels, hues of the whole wheel for many."""
    from matplotlib import colormaps
    from matplotlib.colors import hsv_to_rgb, to_hex

    named = "tab10" if n <= 10 else "tab20"
    if n <= 20:  # their grey is for the unlabeled
        listed = [to_hex(colour) for colour in colormaps[named].colors]  # type: ignore[attr-defined]
        vivid = [colour for colour in listed if colour not in ("#7f7f7f", "#c7c7c7")]
        if n <= len(vivid):
            return vivid[:n]
    wheel = [(i / n, 0.55 + 0.4 * (i % 2), 0.85 - 0.25 * (i % 3)) for i in range(n)]
    return [to_hex(tuple(hsv_to_rgb(colour).tolist())) for colour in wheel]
