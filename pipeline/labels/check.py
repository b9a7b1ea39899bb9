"""Find what in a collection would harm a classifier.

That is the same clip in two folders, videos in the wrong folder, folders with too few videos, and
folders that cannot be told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.labels.classifier import CrossValidation, LabeledClips, Predictions
from pipeline.labels.features import Features
from pipeline.labels.label_noise import LabelNoise

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

MIN_CONFIDENCE = 0.4
"""Least probability that a label is wrong. It is below one half because a look at a video that is
in its place after all costs less than a video that stays in the wrong folder."""

ROUNDS = 8

OVERLAP_SHARE = 0.4
"""Share of the clips of two folders that look like the other one; half of them would be chance."""


@dataclass(frozen=True)
class Place:
    """A video and its label, None where it is unlabeled."""

    path: str
    label: str | None


@dataclass(frozen=True)
class Duplicates:
    """One clip in several places.

    Args:
        videos: the places.
        exact: whether the files have the same bytes.
    """

    videos: tuple[Place, ...]
    exact: bool

    @property
    def labels(self) -> set[str]:
        """The folders that the clip is in."""
        return {place.label for place in self.videos if place.label is not None}


@dataclass(frozen=True)
class Misplaced:
    """A video that looks like those of another folder.

    Args:
        path: row path of the video.
        label: folder that it is in.
        looks_like: folder that it probably belongs in.
        confidence: probability that its label is wrong, as `label_noise` measures it, 0 to 1.
        neighbours: row paths of the nearest videos of that folder, nearest first.
    """

    path: str
    label: str
    looks_like: str
    confidence: float
    neighbours: tuple[str, ...]


@dataclass(frozen=True)
class SmallFolder:
    """A folder with few different clips.

    Args:
        label: folder.
        clips: number of different clips in it.
    """

    label: str
    clips: int


@dataclass(frozen=True)
class Overlap:
    """Two folders that look alike.

    Args:
        labels: the folders.
        share: share of their clips that look like the other folder, 0 to 1.
    """

    labels: tuple[str, str]
    share: float


@dataclass(frozen=True)
class CheckResult:
    """What was found, each kind in path order.

    Args:
        videos: number of videos that were looked at.
        in_two_folders: clips under several labels.
        labeled_and_unlabeled: clips in one folder and also outside.
        misplaced: videos that are probably in the wrong folder.
        small: folders with too few videos.
        overlapping: folders that look alike.
    """

    videos: int
    in_two_folders: tuple[Duplicates, ...] = ()
    labeled_and_unlabeled: tuple[Duplicates, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()
    small: tuple[SmallFolder, ...] = ()
    overlapping: tuple[Overlap, ...] = ()

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """
        document = asdict(self)
        for each in (*document["in_two_folders"], *document["labeled_and_unlabeled"]):
            for video in each["videos"]:
                video["path"] = shown(video["path"])
        for each in document["misplaced"]:
            each["path"] = shown(each["path"])
            each["neighbours"] = [shown(path) for path in each["neighbours"]]
        return document


def check_folders(project: Project) -> CheckResult:
    """Check the folders of a project.

    Raises:
        StoreError: the store cannot be read.
    """
    return check(project.vectors())


def check(vectors: Vectors) -> CheckResult:
    """Check the labels of the rows of one recipe."""
    features = Features.of(vectors)
    clips = features.labeled(features.clips())
    duplicates = _duplicates(vectors, features.groups)
    confidence, predictions = find_misplaced(clips)
    overlapping = _overlaps(clips, predictions)
    return CheckResult(
        videos=len(vectors),
        in_two_folders=tuple(each for each in duplicates if len(each.labels) > 1),
        labeled_and_unlabeled=tuple(each for each in duplicates if len(each.labels) == 1),
        misplaced=_misplaced(features, clips, confidence, predictions, overlapping),
        small=tuple(
            SmallFolder(name, count)
            for name, count in zip(clips.names, clips.counts.tolist(), strict=True)
            if count < FEW_CLIPS
        ),
        overlapping=overlapping,
    )


def find_misplaced(clips: LabeledClips) -> tuple[np.ndarray, Predictions]:
    """Measure how probable it is that each clip is in the wrong folder.

    1. Predict every clip by a classifier that has seen neither the clip and its copies, nor
       ambiguous clips, nor the clips that are set aside.
    2. Estimate from all these predictions together how probable it is that each label is wrong;
       the largest probability of all rounds so far counts, and none while the own folder wins.
    3. Set aside the clips whose label is wrong with a probability of at least MIN_CONFIDENCE, since
       misplaced clips blur the folders they are in.
    4. Repeat until the same clips are set aside, at most ROUNDS times.

    Clips of small folders are not judged, nor are clips in several folders: a copy is no evidence
    for or against its twin.

    Returns:
        The probabilities, float64 `[n]`, and the predictions of the last round.
    """
    confidence, aside = np.zeros(len(clips)), np.zeros(len(clips), bool)
    judged = ~clips.ambiguous & (clips.counts[clips.labels] >= FEW_CLIPS)
    validation = CrossValidation(clips, clips.groups)
    for _ in range(ROUNDS):
        predictions = validation.predict(aside | clips.ambiguous)
        own = predictions.scores[np.arange(len(clips)), clips.labels]
        known = judged & np.isfinite(own) & np.isfinite(predictions.margin)
        if not known.any():
            break
        scores, labels = predictions.scores[known], clips.labels[known]
        found = LabelNoise.fit(scores, labels).wrong(scores, labels)
        confidence[known] = np.maximum(confidence[known], found)
        confidence[~known | (predictions.winner == clips.labels)] = 0
        before, aside = aside, confidence >= MIN_CONFIDENCE
        if (before == aside).all():
            break
    return confidence, predictions


def _overlaps(clips: LabeledClips, predictions: Predictions) -> tuple[Overlap, ...]:
    """Return the pairs of folders whose clips look like the other one's."""
    n, counts = len(clips.names), clips.counts
    confused = np.zeros((n, n), int)
    answered = predictions.winner >= 0
    np.add.at(confused, (clips.labels[answered], predictions.winner[answered]), 1)
    found = []
    for a, b in combinations(range(n), 2):
        crossed, total = confused[a, b] + confused[b, a], counts[a] + counts[b]
        if min(counts[a], counts[b]) >= FEW_CLIPS and crossed >= OVERLAP_SHARE * total:
            found.append(Overlap((clips.names[a], clips.names[b]), float(crossed / total)))
    return tuple(found)


def _misplaced(
    features: Features,
    clips: LabeledClips,
    confidence: np.ndarray,
    predictions: Predictions,
    overlapping: tuple[Overlap, ...],
) -> tuple[Misplaced, ...]:
    """Describe the misplaced clips; between folders that look alike, neither place is wrong."""
    alike = {frozenset(each.labels) for each in overlapping}
    found = []
    for each in np.flatnonzero(confidence >= MIN_CONFIDENCE).tolist():
        own, winner = int(clips.labels[each]), int(predictions.winner[each])
        label, looks_like = clips.names[own], clips.names[winner]
        if frozenset((label, looks_like)) not in alike:
            others = clips.rows[clips.labels == winner]
            near, scores = features.neighbours(clips.rows[[each]], others)
            path = features.source.paths[clips.rows[each]]
            paths = tuple(each.path for each in features.described(near[0], scores[0]))
            found.append(Misplaced(path, label, looks_like, float(confidence[each]), paths))
    return tuple(found)


def _duplicates(vectors: Vectors, groups: np.ndarray) -> list[Duplicates]:
    """Return the clips with more than one label, or with and without one, in path order."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        members[group].append(row)
    return [
        Duplicates(
            tuple(Place(vectors.paths[row], vectors.labels[row]) for row in rows),
            exact=len({vectors.hashes[row] for row in rows}) == 1,
        )
        for rows in members.values()
        if len({vectors.labels[row] for row in rows}) > 1
    ]
