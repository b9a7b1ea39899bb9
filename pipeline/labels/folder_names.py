"""Which folder's name fits a video: CLIP's text encoder, for folders with too few videos to vote.

A name's likeness to a video is counted in standard deviations of its likeness to all videos of the
collection, so that a name that is near everything is near nothing in particular.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from store.analysis.vectors import Vectors
from store.arrays import unit_length

PROMPTS = ("{}", "a photo of {}", "a video of {}")

EncodeTexts = Callable[[Sequence[str]], np.ndarray]
"""Texts to float32 `[n, d]`, each of unit length."""


@dataclass(frozen=True, eq=False)
class Named:
    """Args:
    winner: int64 `[n]`: the name that fits each video best.
    evidence: float64 `[n]`: by how much, against the next best or an unfitting one.
    """

    winner: np.ndarray
    evidence: np.ndarray


def fit_names(vectors: Vectors, names: Sequence[str], encode: EncodeTexts) -> Named:
    """Compare every video with at least two names, by picture and by words."""
    texts = name_vectors(names, encode)
    spoken = np.asarray(vectors.speech.any(axis=1))
    scores = _standard(vectors.visual @ texts.T)
    scores[spoken] += _standard(vectors.speech[spoken] @ texts.T)
    ordered = np.sort(scores, axis=1)
    strange = float(np.median(ordered[:, -2]))
    against = np.maximum(ordered[:, -2], strange)
    return Named(scores.argmax(axis=1), (ordered[:, -1] - against).astype(np.float64))


def name_vectors(names: Sequence[str], encode: EncodeTexts) -> np.ndarray:
    """float32 `[n, d]`, each of unit length: the mean over prompts, as CLIP's authors do it."""
    words = [name.replace("_", " ").replace("-", " ").strip() or name for name in names]
    texts = [prompt.format(word) for word in words for prompt in PROMPTS]
    encoded = encode(texts).reshape(len(words), len(PROMPTS), -1).mean(axis=1)
    return unit_length(encoded)


def _standard(scores: np.ndarray) -> np.ndarray:
    """Each column less its mean, over its standard deviation; zeros where all are alike."""
    if not len(scores):
        return scores
    spread = scores.std(axis=0)
    moved = scores - scores.mean(axis=0)
    standard: np.ndarray = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 1e-6)
    return standard
