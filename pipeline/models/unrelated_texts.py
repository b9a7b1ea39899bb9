"""Texts about many subjects, which measure how similar a text and an unrelated video are.

A collection may hold videos about a few of them: only a quarter of the texts makes a difference.
"""

from __future__ import annotations

import base64
import hashlib

import numpy as np

from store.schema import Recipe

TEXTS = (
    "a lighthouse in a storm",
    "how to file a tax return",
    "an astronaut repairs a satellite",
    "the history of the printing press",
    "a flock of sheep blocks the road",
    "grandmother knits a scarf",
    "quarterly results of a bank",
    "a surgeon washes her hands",
    "tuning an old piano",
    "a camel caravan at dusk",
    "the parliament votes on a law",
    "welding a steel beam",
    "a beehive in winter",
    "opening a can of paint",
    "chess players think in silence",
    "an aquarium with jellyfish",
    "a dentist explains a filling",
    "penguins dive from the ice",
    "installing a printer driver",
    "the opera singer bows",
    "a volcano at night",
    "someone peels an orange",
    "a train crosses a viaduct",
    "measuring soil acidity",
    "an auction of antique clocks",
    "the sculptor carves marble",
    "a traffic jam in the rain",
    "monks copy a manuscript",
    "folding a paper crane",
    "a wedding on the beach",
    "a proof that there are infinitely many primes",
    "what the weather will be tomorrow",
    "regret",
    "in accordance with the terms and conditions",
    "blorf zindle wug",
    "qwrtz pfk lmnx",
    "seventeen unless otherwise",
    "yesterday never mind the gap",
    "somewhere else entirely",
    "nothing in particular",
)


def pack(vectors: np.ndarray) -> str:
    """Turn the texts' vectors into ASCII, in half precision, for a note of the store.

    Args:
        vectors: float32 `[len(TEXTS), d]`.
    """
    return base64.b64encode(vectors.astype(np.float16).tobytes()).decode()


def unpack(packed: str) -> np.ndarray:
    """Read what `pack` made.

    Returns:
        float32 `[len(TEXTS), d]`.
    """
    numbers = np.frombuffer(base64.b64decode(packed), np.float16)
    return numbers.reshape(len(TEXTS), -1).astype(np.float32)


def note_of(recipe: Recipe) -> str:
    """Name the note of the store that keeps the vectors by a recipe's CLIP."""
    made_of = "\n".join((recipe.visual, *TEXTS))
    return f"neutral {hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
