"""Texts about all sorts of things, to learn how alike texts and videos are that have nothing to do
with each other. A few of them may be in a collection: it takes a quarter to make a difference."""

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
    """Vectors of the texts as text, to be kept in a store; in half precision."""
    return base64.b64encode(vectors.astype(np.float16).tobytes()).decode()


def unpack(packed: str) -> np.ndarray:
    """float32 `[len(TEXTS), d]` from what `pack` made."""
    numbers = np.frombuffer(base64.b64decode(packed), np.float16)
    return numbers.reshape(len(TEXTS), -1).astype(np.float32)


def note_of(recipe: Recipe) -> str:
    """The name of the note that keeps the vectors of the recipe's CLIP."""
    made_of = "\n".join((recipe.visual, *TEXTS))
    return f"neutral {hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
