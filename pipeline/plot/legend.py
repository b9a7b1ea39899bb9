"""Which labels a plot shows, in which order and colour, and what its title says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass

TITLE = "t-SNE Visualization of Video Embeddings"
UNLABELED = "(unlabeled)"
GREY = "#9a9a9a"

STRONG = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22",
    "#17becf",
)  # fmt: skip
LIGHT = (
    "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#dbdb8d",
    "#9edae5",
)  # fmt: skip
"""The colours of matplotlib's `tab20` without its greys, which are for the unlabeled."""


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


def _colours(n: int) -> Sequence[str]:
    """Return colours that differ: matplotlib's for few labels, hues of the whole wheel for many."""
    if n <= len(STRONG):
        return STRONG[:n]
    if n <= 2 * len(STRONG):
        return [colour for both in zip(STRONG, LIGHT, strict=True) for colour in both][:n]
    wheel = [hsv_to_rgb(i / n, 0.55 + 0.4 * (i % 2), 0.85 - 0.25 * (i % 3)) for i in range(n)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in each) for each in wheel]
