"""The nearest clips of a folder to each video that may belong there, and how they follow changes.

What was found once holds until one of the clips that were found goes: a clip that comes is compared
with the videos that may belong in its folder, and only a video that lost a clip, or may belong in
another folder now, looks among all clips of it. That gives what a search among all clips would
give, but for the last digit of scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.labels.classifier import Clips
from pipeline.labels.features import Features
from pipeline.labels.keys import clip_keys, keys_of, places_of
from store.analysis.neighbours import nearest
from store.threads import on_all_cores

NEAREST = 3
"""Witnesses of each video in each folder."""


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The nearest clips of a folder, for `q` pairs of a video and a folder.

    Args:
        pairs: bytes `[q]`, keys of the pairs.
        clips: bytes `[m]`, keys of the clips to choose from.
        rows: int64 `[m]`, the rows of those.
        near: int64 `[q, NEAREST]` indices of clips, nearest first; -1 where there are fewer.
        scores: float32, cosines after centring; minus infinity there.
        space: identity of the space that they were compared in.
    """

    pairs: np.ndarray
    clips: np.ndarray
    rows: np.ndarray
    near: np.ndarray
    scores: np.ndarray
    space: int

    @classmethod
    def find(
        cls,
        features: Features,
        clips: Clips,
        rows: np.ndarray,
        folders: np.ndarray,
        before: Self | None = None,
    ) -> Self:
        """Find the nearest clips.

        Args:
            features: of the collection.
            clips: to choose from.
            rows: int64 `[q]`, the row of each pair.
            folders: int64 `[q]`, its folder, an index into the names of `clips`; -1 for none.
            before: what was found last.
        """
        pairs = keys_of(features, rows, folders, clips.names)
        there = clip_keys(features, clips)
        near = np.full((len(rows), NEAREST), -1, np.int64)
        scores = np.full((len(rows), NEAREST), -np.inf, np.float32)
        is_known, is_new = np.zeros(len(rows), bool), np.ones(len(clips), bool)
        if before is not None and before.space == features.space.identity:
            clip_now = places_of(before.clips, there)
            is_new[clip_now[clip_now >= 0]] = False
            known = places_of(pairs, before.pairs)
            lost = np.append(clip_now < 0, False)[before.near].any(axis=1)
            is_known[known >= 0] = ~lost[known[known >= 0]]
            near[is_known] = np.append(clip_now, -1)[before.near[known[is_known]]]
            scores[is_known] = before.scores[known[is_known]]

        def look(folder: int) -> None:
            asks, some = folders == folder, clips.labels == folder
            for asking, among in ((asks & is_known, some & is_new), (asks & ~is_known, some)):
                if asking.any() and among.any():
                    points = features.centred(clips.rows[among])
                    found = nearest(features.centred(rows[asking]), points, NEAREST)
                    several = np.hstack([near[asking], np.flatnonzero(among)[found.indices]])
                    scored = np.hstack([scores[asking], found.scores])
                    best = np.lexsort((several, -scored), axis=1)[:, :NEAREST]
                    near[asking] = np.take_along_axis(several, best, axis=1)
                    scores[asking] = np.take_along_axis(scored, best, axis=1)

        on_all_cores(look, range(len(clips.names)))
        return cls(pairs, there, clips.rows, near, scores, features.space.identity)

    @property
    def near_rows(self) -> np.ndarray:
        """int64 `[q, NEAREST]`: rows of the nearest clips; -1 where there are fewer."""
        rows: np.ndarray = np.append(self.rows, -1)[self.near]
        return rows

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {f"witness_{name}": np.asarray(each) for name, each in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        pairs, clips, rows, near, scores, space = (
            arrays[f"witness_{name}"] for name in cls.__dataclass_fields__
        )
        return cls(pairs, clips, rows, near, scores, int(space))
