"""Texts about all sorts of things, to learn how alike texts and videos are that have nothing to do
with each other. A few of them may be in a collection: it takes a quarter to make a difference."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.records import Recipe
from store.table.store import Store

if TYPE_CHECKING:
    from pipeline.models.clip import ClipEncoder

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


def vectors(store: Store, recipe: Recipe, clip: Callable[[], ClipEncoder]) -> np.ndarray:
    """float32 `[len(TEXTS), d]`, of unit length: from the store, if `remember` left them there,
    else made anew, which takes the text encoder of ViT-B/32 a second or two."""
    kept = store.recall(_key(recipe))
    if kept is None:
        return clip().encode_texts(TEXTS)
    packed = np.frombuffer(base64.b64decode(kept), np.float16)
    return packed.reshape(len(TEXTS), -1).astype(np.float32)


def remember(store: Store, recipe: Recipe, clip: ClipEncoder | None) -> None:
    """Keep their vectors in a store that is open for writing, where they are not there yet; without
    CLIP (None: nothing has needed it) nothing is done."""
    if clip and store.recall(_key(recipe)) is None:
        packed = clip.encode_texts(TEXTS).astype(np.float16)
        store.remember(_key(recipe), base64.b64encode(packed.tobytes()).decode())


def _key(recipe: Recipe) -> str:
    made_of = "\n".join((recipe.visual, *TEXTS))
    return f"neutral {hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
