"""What the labeled videos of a collection teach, and how that follows changes.

The sums that the discriminant is made of follow every change. How far to trust its answers is
measured by cross-validation, and that is kept until more than a small share of the labeled videos
changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from pipeline.labels.classifier import Clips, CrossValidation, Moments, ShrunkLda
from pipeline.labels.confidence import PlattScaling, calibrate
from pipeline.labels.features import Features, most_changes

SUBJECT = "folder_model"

Key = tuple[str, str]
"""Content hash and folder of a clip: what it is known by in another version of the table."""


@dataclass(frozen=True, eq=False)
class LearnedClips:
    """The sums of clips that something was learned from, and which clips those are.

    Args:
        names: folder names.
        keys: of the clips.
        moments: of their features.
        space: identity of the space of those.
    """

    names: tuple[str, ...]
    keys: frozenset[Key]
    moments: Moments
    space: int

    @classmethod
    def of(cls, features: Features, clips: Clips) -> Self:
        """Add clips up."""
        moments = Moments.of(features.reduced(clips.rows), clips.labels, len(clips.names))
        return cls(
            clips.names, frozenset(keys_of(features, clips)), moments, features.space.identity
        )

    def updated(self, features: Features, clips: Clips) -> Self | None:
        """Put new clips in and take others out; None where the vector of one of those is lost."""
        now = dict(zip(keys_of(features, clips), range(len(clips)), strict=True))
        came, gone = now.keys() - self.keys, self.keys - now.keys()
        names = tuple(sorted({*self.names, *clips.names}))
        added = clips.rows[[now[key] for key in sorted(came)]] if came else np.empty(0, np.int64)
        removed = features.numbers_of([content for content, _ in sorted(gone)])
        if (removed < 0).any():
            return None
        place = {name: number for number, name in enumerate(names)}
        moments = self.moments.among([place[name] for name in self.names], len(names))
        lost = features.space.reduced(features.of_contents(removed))
        moments += Moments.of(features.reduced(added), _numbers(place, came), len(names))
        moments -= Moments.of(lost, _numbers(place, gone), len(names))
        return replace(self, names=names, keys=frozenset(now), moments=moments)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        place = {name: number for number, name in enumerate(self.names)}
        keys = sorted(self.keys)
        return {
            "names": np.array(self.names, np.str_),
            "hashes": np.array([content for content, _ in keys], np.bytes_),
            "folders": _numbers(place, keys),
            "counts": self.moments.counts,
            "sums": self.moments.sums,
            "outer": self.moments.outer,
            "space": np.array(self.space),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        names = tuple(arrays["names"].tolist())
        hashes, folders = arrays["hashes"].astype(np.str_).tolist(), arrays["folders"].tolist()
        keys = frozenset((content, names[at]) for content, at in zip(hashes, folders, strict=True))
        moments = Moments(arrays["counts"], arrays["sums"], arrays["outer"])
        return cls(names, keys, moments, int(arrays["space"]))


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
        keys = frozenset(keys_of(features, clips))
        learned = LearnedClips(clips.names, keys, validation.moments, features.space.identity)
        del validation  # of which calibration needs another, 400 MB each
        right = tried.winner == labeled.labels
        return cls(learned, calibrate(labeled, tried), tried.margin, right)

    def updated(self, features: Features) -> Self | None:
        """Follow what changed; None where it has to be learned again."""
        clips = features.clips_of_one_folder
        changed = len(self.clips.keys ^ set(keys_of(features, clips)))
        changes = self.changes + changed
        if self.clips.space != features.space.identity or changes > most_changes(len(self.margin)):
            return None
        learned = self.clips.updated(features, clips)
        return None if learned is None else replace(self, clips=learned, changes=changes)

    @property
    def lda(self) -> ShrunkLda:
        """The classifier; there has to be a clip."""
        return ShrunkLda(self.clips.moments)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        line = self.probability
        return {
            **self.clips.to_arrays(),
            **(self.lda.to_arrays() if self.clips.keys else ShrunkLda.none()),
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


def keys_of(features: Features, clips: Clips) -> list[Key]:
    """Name clips by content and folder."""
    hashes = features.hashes.take(pa.array(features.content[clips.rows])).to_pylist()
    folders = [clips.names[label] for label in clips.labels.tolist()]
    return list(zip(hashes, folders, strict=True))


def _numbers(place: Mapping[str, int], keys: Iterable[Key]) -> np.ndarray:
    return np.array([place[folder] for _, folder in sorted(keys)], np.int64)
