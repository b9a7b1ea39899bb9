"""What the labeled videos of a collection teach, and how that follows changes.

The sums that the discriminant is made of follow every change. How far to trust its answers is
measured by cross-validation, and that is kept until more than a small share of the labeled videos
changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from pipeline.labels.classifier import Clips, Moments, ShrunkLda
from pipeline.labels.confidence import PlattScaling, calibrate
from pipeline.labels.cross_validation import CrossValidation
from pipeline.labels.features import Features, most_changes
from pipeline.labels.keys import changes_of, clip_keys, places_of, split_keys

SUBJECT = "folder_model"


@dataclass(frozen=True, eq=False)
class LearnedClips:
    """The sums of clips that something was learned from, and which clips those are.

    Args:
        names: folder names.
        keys: bytes `[n]`, of the clips.
        moments: of their features.
        space: identity of the space of those.
    """

    names: tuple[str, ...]
    keys: np.ndarray
    moments: Moments
    space: int

    @classmethod
    def of(cls, features: Features, clips: Clips) -> Self:
        """Add clips up."""
        moments = Moments.of(features.reduced(clips.rows), clips.labels, len(clips.names))
        return cls(clips.names, clip_keys(features, clips), moments, features.space.identity)

    def updated(self, features: Features, clips: Clips) -> Self | None:
        """Put new clips in and take others out.

        Returns:
            None where the space is another one, or the vector of one of those is lost.
        """
        if features.space.identity != self.space:
            return None
        keys = clip_keys(features, clips)
        came = clips.select(places_of(keys, self.keys) < 0)
        left, hashes = split_keys(self.keys[places_of(self.keys, keys) < 0])
        gone = features.numbers_of(hashes)
        if (gone < 0).any():
            return None
        names = tuple(sorted({*self.names, *clips.names}))
        place = {name: number for number, name in enumerate(names)}

        def summed(vectors: np.ndarray, folders: Sequence[str]) -> Moments:
            labels = np.array([place[folder] for folder in folders], np.int64)
            return Moments.of(vectors, labels, len(names))

        moments = self.moments.among([place[name] for name in self.names], len(names))
        moments += summed(features.reduced(came.rows), [clips.names[each] for each in came.labels])
        moments -= summed(features.space.reduced(features.of_contents(gone)), left)
        return replace(self, names=names, keys=keys, moments=moments)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {
            "names": np.array(self.names, np.str_),
            "keys": self.keys,
            "counts": self.moments.counts,
            "sums": self.moments.sums,
            "outer": self.moments.outer,
            "space": np.array(self.space),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        moments = Moments(arrays["counts"], arrays["sums"], arrays["outer"])
        return cls(tuple(arrays["names"].tolist()), arrays["keys"], moments, int(arrays["space"]))


@dataclass(frozen=True, eq=False)
class FolderModel:
    """A classifier of folders, and how far to trust it.

    Args:
        clips: what it has learned from.
        probability: turns a margin into a probability.
        margin: float64 `[m]` margins of the clips of the cross-validation.
        right: bool `[m]`, whether those were answered right.
        changes: clips that came or went since the cross-validation.
    """

    clips: LearnedClips
    probability: PlattScaling
    margin: np.ndarray
    right: np.ndarray
    changes: int = 0

    @classmethod
    def learn(cls, features: Features) -> Self:
        """Learn from the labeled videos, and measure how well that goes."""
        clips = features.clips_of_one_folder
        labeled = features.labeled(clips)
        validation = CrossValidation(labeled, labeled.groups)
        tried = validation.predict()
        keys, space = clip_keys(features, clips), features.space.identity
        learned = LearnedClips(clips.names, keys, validation.moments, space)
        del validation  # of which calibration needs another, 400 MB each
        right = tried.winner == labeled.labels
        return cls(learned, calibrate(labeled, tried), tried.margin, right)

    def updated(self, features: Features) -> Self | None:
        """Follow what changed; None where it has to be learned again."""
        clips = features.clips_of_one_folder
        changes = self.changes + changes_of(clip_keys(features, clips), self.clips.keys)
        if changes > most_changes(len(self.margin)):
            return None
        learned = self.clips.updated(features, clips)
        return replace(self, clips=learned, changes=changes) if learned else None

    @cached_property
    def lda(self) -> ShrunkLda:
        """The classifier; there has to be a clip."""
        return ShrunkLda(self.clips.moments)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        line = self.probability
        return {
            **self.clips.to_arrays(),
            **(self.lda.to_arrays() if len(self.clips.keys) else ShrunkLda.none()),
            "line": np.array([line.scale, line.slope, line.offset]),
            "margin": self.margin,
            "right": self.right,
            "changes": np.array(self.changes),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        line = PlattScaling(*arrays["line"].tolist())
        tried = (arrays["margin"], arrays["right"])
        return cls(LearnedClips.from_arrays(arrays), line, *tried, int(arrays["changes"]))
