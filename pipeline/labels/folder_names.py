"""Match videos to folder names with CLIP's text encoder, for folders with too few videos.

A name's similarity to a video is measured in standard deviations of its similarity to all videos of
the collection, so that a name that is near everything is near nothing in particular.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from store.arrays import unit_length

PROMPTS = ("{}", "a photo of {}", "a video of {}")

EncodeTexts = Callable[[Sequence[str]], np.ndarray]
"""Encodes texts as float32 `[n, d]`, each of unit length."""


@dataclass(frozen=True, eq=False)
class NameMatches:
    """The folder name that fits each video best.

    Args:
        winner: int64 `[n]` index of the best name.
        margin: float64 `[n]` its lead over the second best name, or over what a name that does not
            fit usually scores.
    """

    winner: np.ndarray
    margin: np.ndarray


def match_names(embeddings: np.ndarray, texts: np.ndarray) -> NameMatches:
    """Compare every video with at least two names, by picture and by words.

    Args:
        embeddings: float32 `[n, 2d]`.
        texts: float32 `[names, d]`, as `encode_names` gives them.
    """
    d = embeddings.shape[1] // 2
    visual, speech = embeddings[:, :d], embeddings[:, d:]
    spoken = np.asarray(speech.any(axis=1))
    scores = _standardised(visual @ texts.T)
    scores[spoken] += _standardised(speech[spoken] @ texts.T)
    ordered = np.sort(scores, axis=1)
    unfitting = float(np.median(ordered[:, -2]))
    against = np.maximum(ordered[:, -2], unfitting)
    return NameMatches(scores.argmax(axis=1), (ordered[:, -1] - against).astype(np.float64))


def encode_names(names: Sequence[str], encode: EncodeTexts) -> np.ndarray:
    """Return float32 `[n, d]` of unit length: the mean over prompts, as in CLIP's paper."""
    words = [name.replace("_", " ").replace("-", " ").strip() or name for name in names]
    texts = [prompt.format(word) for word in words for prompt in PROMPTS]
    encoded = encode(texts).reshape(len(words), len(PROMPTS), -1).mean(axis=1)
    return unit_length(encoded)


def _standardised(scores: np.ndarray) -> np.ndarray:
    """Scale each column to mean 0 and standard deviation 1; a constant column becomes zeros."""
    if not len(scores):
        return scores
    spread = scores.std(axis=0)
    moved = scores - scores.mean(axis=0)
    scaled: np.ndarray = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 1e-6)
    return scaled
