"""The likely folder of a video as it lands, by what `suggest` has learned and kept.

Nothing is learned here: a writer that embeds videos asks a ready-made classifier, which takes less
than a millisecond, and reads it again when `suggest` or the page has made another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.labels.classifier import ShrunkLda
from pipeline.labels.confidence import PlattScaling
from pipeline.labels.features import SUBJECT as CONTENTS
from pipeline.labels.folder_model import SUBJECT as MODEL
from pipeline.labels.space import SPACE_ARRAYS, Space
from store.analysis.kept import Kept
from store.schema import Recipe
from store.table.store import Store

_CLASSIFIER = ("names", "space", "line", "weights", "offsets", "present")

Say = Callable[[str, str, float], None]
"""Is given a row's path, a folder, and the probability that the video belongs there."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A classifier, and the space of what it takes."""

    names: tuple[str, ...]
    space: Space
    lda: ShrunkLda
    probability: PlattScaling


class LandingAdvice:
    """Says where videos probably belong, where that is sure. For one thread.

    Args:
        store: beside it lies what was learned.
        recipe: what made the rows.
        min_confidence: probability below which nothing is said.
        say: is given what is sure.
    """

    def __init__(self, store: Store, recipe: Recipe, min_confidence: float, say: Say) -> None:
        self._kept = Kept(store, recipe)
        self._min_confidence = min_confidence
        self._say = say
        self._stamp: object = None
        self._ready: _Ready | None = None

    @property
    def is_ready(self) -> bool:
        """Whether something was kept to advise by."""
        return self._kept.stamp(MODEL) is not None

    def __call__(self, landed: Mapping[str, np.ndarray]) -> None:
        """Advise on videos without a label: the embedding, float32 `[2d]`, of each path."""
        stamp = self._kept.stamp(MODEL)
        if stamp != self._stamp:
            self._stamp, self._ready = stamp, self._load()
        ready = self._ready
        if ready is None or not landed:
            return
        found = ready.lda.predict(ready.space.reduced(np.stack([*landed.values()])))
        sure = ready.probability(found.margin)
        for path, winner, confidence in zip(landed, found.winner, sure.tolist(), strict=True):
            if confidence >= self._min_confidence:
                self._say(path, ready.names[winner], confidence)

    def _load(self) -> _Ready | None:
        """Read the classifier; None where none was kept, or nothing is labeled."""
        model = self._kept.load(MODEL, _CLASSIFIER)
        contents = self._kept.load(CONTENTS, SPACE_ARRAYS)
        if model is None or contents is None or not len(model["present"]):
            return None
        space = Space.from_arrays(contents)
        if space.identity != int(model["space"]):
            return None
        names = tuple(model["names"].tolist())
        lda = ShrunkLda.from_arrays(model, len(names))
        return _Ready(names, space, lda, PlattScaling(*model["line"].tolist()))
