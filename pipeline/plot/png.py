"""Draw the plot as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from pipeline.plot.legend import GREY, TITLE, Group

NAME_CHARACTERS = 40
COLUMN_ROWS = 34  # entries of the legend, as high as the axes
PADDING = 0.1  # inches around all
MOST_NAMED = 4 * COLUMN_ROWS  # beyond, the picture would be mostly legend


def to_png(places: np.ndarray, legend: Sequence[Group], caption: str) -> bytes:
    """Draw a scatter plot with its legend beside the axes, the unlabeled behind all others.

    Args:
        places: float64 `[n, 2]`, as `layout` returns them.
        legend: as `groups` returns it.
        caption: stands below the title.

    Returns:
        A PNG, as wide as the legend needs.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(8, 8), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    for group in legend:
        at = places[list(group.rows)]
        x, y = at[:, 0], at[:, 1]
        layer = 1 if group.colour == GREY else 2
        axes.scatter(x, y, color=group.colour, alpha=0.6, s=20, linewidths=0, zorder=layer)
    entries = [
        (_plain(f"{_short(group.name)} ({len(group.rows):,})"), group.colour) for group in legend
    ]
    if len(entries) > MOST_NAMED:
        entries[MOST_NAMED - 1 :] = [(f"and {len(entries) - MOST_NAMED + 1:,} more", GREY)]
    axes.legend(
        [Line2D([], [], color=colour, marker="o", linestyle="") for _, colour in entries],
        [name for name, _ in entries],
        loc="upper left",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.5,
        frameon=False,
        fontsize="small",
        ncols=-(-len(entries) // COLUMN_ROWS) or 1,
    )
    axes.set_title(f"{TITLE}\n{_plain(_short(caption, 2 * NAME_CHARACTERS))}")
    picture = io.BytesIO()
    # `bbox_inches="tight"` would draw everything once more to find this out.
    figure.savefig(picture, format="png", bbox_inches=figure.get_tightbbox().padded(PADDING))
    return picture.getvalue()


def _short(name: str, most: int = NAME_CHARACTERS) -> str:
    flat = " ".join(name.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _plain(text: str) -> str:
    """Escape a text: matplotlib hides one that begins with `_`, and sets `$...$` as a formula."""
    escaped = text.replace("\\", "\\\\").replace("$", "\\$")
    return f" {escaped}" if escaped.startswith("_") else escaped
