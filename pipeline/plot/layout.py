"""Lay a collection out in the plane.

The layout is t-SNE of the embeddings (van der Maaten and Hinton, "Visualizing data using t-SNE",
2008).
"""

from __future__ import annotations

import numpy as np

PERPLEXITY = 30.0  # scikit-learn's default; a third of the videos where there are few
LEAST_FOR_TSNE = 4  # different vectors; fewer have no neighbourhoods
PLAIN_ROWS = 2_000  # beyond, t-SNE starts from principal components: minutes become seconds
COMPONENTS = 50
COPY_STEP = 0.006  # distance between copies of a video, in shares of the plot's size


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
