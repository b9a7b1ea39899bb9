"""Lay a collection out in the plane and draw it, coloured by label.

The layout is t-SNE of the embeddings (van der Maaten and Hinton, "Visualizing data using t-SNE",
2008).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TITLE = "t-SNE Visualization of Video Embeddings"
UNLABELED = "(unlabeled)"
GREY = "#9a9a9a"
PERPLEXITY = 30.0  # scikit-learn's default; a third of the videos where there are few
LEAST_FOR_TSNE = 4  # different vectors; fewer have no neighbourhoods
PLAIN_ROWS = 2_000  # beyond, t-SNE starts from principal components: minutes become seconds
COMPONENTS = 50
COPY_STEP = 0.006  # distance between copies of a video, in shares of the plot's size


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


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Place embeddings `[n, w]` in the plane; equal ones lie side by side.

    Returns:
        float64 `[n, 2]`, -1 to 1.
    """
    if not len(embeddings):
        return np.empty((0, 2))
    unique, which = np.unique(embeddings, axis=0, return_inverse=True)
    places = _spread_out(_tsne(unique) if len(unique) >= LEAST_FOR_TSNE else _corners(len(unique)))
    beside: np.ndarray = places[which.ravel()] + _beside(which.ravel())
    return beside


def groups(labels: Sequence[str | None]) -> list[Group]:
    """Make the legend: labels by name, each in a colour of its own, then the unlabeled in grey."""
    names = sorted({label for label in labels if label is not None})
    found = [
        Group(name, colour, tuple(i for i, label in enumerate(labels) if label == name))
        for name, colour in zip(names, _colours(len(names)), strict=True)
    ]
    rest = tuple(i for i, label in enumerate(labels) if label is None)
    return [*found, Group(UNLABELED, GREY, rest)] if rest else found


def to_png(places: np.ndarray, legend: Sequence[Group]) -> bytes:
    """Draw a scatter plot with its legend as a PNG of 1500 x 1200 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), dpi=150)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for group in legend:
        at = places[list(group.rows)]
        name = _plain(group.name)
        axes.scatter(at[:, 0], at[:, 1], label=name, color=group.colour, alpha=0.6, s=20)
    if legend:
        axes.legend(loc="best", fontsize="small", ncols=1 + len(legend) // 25)
    axes.set_title(TITLE)
    picture = io.BytesIO()
    canvas.print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


def _tsne(vectors: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n = len(vectors)
    if n > PLAIN_ROWS and vectors.shape[1] > COMPONENTS:
        vectors = PCA(COMPONENTS, random_state=42).fit_transform(vectors)
    perplexity = min(PERPLEXITY, (n - 1) / 3)
    tsne = TSNE(n_components=2, random_state=42, perplexity=perplexity, init="pca")
    return np.asarray(tsne.fit_transform(vectors), np.float64)


def _corners(n: int) -> np.ndarray:
    """Return up to three places that are equally far from each other."""
    angles = 2 * np.pi * np.arange(n) / max(n, 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * (n > 1)


def _spread_out(places: np.ndarray) -> np.ndarray:
    moved = places - (places.max(axis=0) + places.min(axis=0)) / 2
    scaled: np.ndarray = moved / max(float(abs(moved).max()), 1e-9)
    return scaled


def _beside(which: np.ndarray) -> np.ndarray:
    """Return offsets that keep copies apart: a sunflower's spiral, the first copy in its middle.

    Args:
        which: int64 `[n]`; rows of equal numbers share a point.

    Returns:
        float64 `[n, 2]`.
    """
    order = np.argsort(which, kind="stable")
    _, starts, counts = np.unique(which[order], return_index=True, return_counts=True)
    number = np.empty(len(which))
    number[order] = np.arange(len(which)) - np.repeat(starts, counts)
    angle, radius = number * np.pi * (3 - np.sqrt(5)), COPY_STEP * np.sqrt(number)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


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


def _plain(name: str) -> str:
    """Escape a name: matplotlib hides one that begins with `_`, and sets `$...$` as a formula."""
    text = name.replace("\\", "\\\\").replace("$", "\\$")
    return f" {text}" if text.startswith("_") else text
