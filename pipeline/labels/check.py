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

from pipeline.labels.classifier import LabeledClips, Predictions, leave_one_out
from pipeline.labels.features import Features

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

LEAST_LEAD = 0.35
"""Least lead of another folder over a video's own, in shares of the median lead that own folders
have over the next. A look at a video that is in its place after all costs less than one that stays
in the wrong folder."""

ROUNDS = 8
SET_ASIDE = 0.25
"""Share of the suspects that each round stops learning from."""

OVERLAP_SHARE = 0.4
"""Share of the clips of two folders that look like the other one; half of them would be chance."""


@dataclass(frozen=True)
class Place:
    """A video and its label, None where it is unlabeled."""

    path: str
    label: str | None


@dataclass(frozen=True)
class Duplicates:
    """The same clip in several places.

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
        neighbours: row paths of the nearest videos of that folder, nearest first.
    """

    path: str
    label: str
    looks_like: str
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
    clips = features.labeled()
    duplicates = _duplicates(vectors, features.groups)
    wrong, predictions = find_misplaced(clips)
    overlapping = _overlaps(clips, predictions)
    return CheckResult(
        videos=len(vectors),
        in_two_folders=tuple(each for each in duplicates if len(each.labels) > 1),
        labeled_and_unlabeled=tuple(each for each in duplicates if len(each.labels) == 1),
        misplaced=_misplaced(features, clips, predictions, wrong, overlapping),
        small=tuple(
            SmallFolder(name, count)
            for name, count in zip(clips.names, clips.counts.tolist(), strict=True)
            if count < FEW_CLIPS
        ),
        overlapping=overlapping,
    )


def find_misplaced(clips: LabeledClips) -> tuple[np.ndarray, Predictions]:
    """Find the clips that another folder explains far better than their own.

    1. Predict every clip by a classifier that has seen neither the clip and its copies, nor
       ambiguous clips, nor the clips that are set aside.
    2. A clip is suspect where another folder leads over its own by at least LEAST_LEAD times the
       median lead of own folders; the smallest such threshold of all rounds so far counts.
    3. Set aside the most suspect SET_ASIDE of the new suspects, at least one, since misplaced
       clips blur the folders they are in and make others look misplaced; take back those set aside
       that are suspect no more.
    4. Repeat until there is no new suspect, at most ROUNDS times.

    Returns:
        A mask of the clips that are set aside, bool `[n]`, and the predictions of the last round.
    """
    aside, least = np.zeros(len(clips), bool), np.inf
    for _ in range(ROUNDS):
        predictions = leave_one_out(clips, ~(aside | clips.ambiguous))
        lead = _lead_of_others(clips, predictions)
        least = min(least, LEAST_LEAD * _usual_lead(clips, predictions))
        suspect = lead >= least
        new = np.flatnonzero(suspect & ~aside)
        aside &= suspect
        if not len(new):
            break
        most_suspect = new[np.argsort(-lead[new], kind="stable")]
        aside[most_suspect[: max(round(SET_ASIDE * len(new)), 1)]] = True
    return aside, predictions


def _lead_of_others(clips: LabeledClips, predictions: Predictions) -> np.ndarray:
    """Return how far the winner leads over each clip's own folder, float64 `[n]`.

    It is minus infinity where the own folder wins or has too few clips to judge by.
    """
    own = predictions.scores[np.arange(len(clips)), clips.labels]
    known = np.isfinite(own) & np.isfinite(predictions.margin)
    known &= clips.counts[clips.labels] >= FEW_CLIPS
    other = known & (predictions.winner != clips.labels)
    lead = np.full(len(clips), -np.inf)
    lead[other] = predictions.scores[other].max(axis=1, initial=-np.inf) - own[other]
    return lead


def _usual_lead(clips: LabeledClips, predictions: Predictions) -> float:
    """Return the median lead of the clips' own folders over the next, infinity without any."""
    own = (predictions.winner == clips.labels) & np.isfinite(predictions.margin)
    return float(np.median(predictions.margin[own])) if own.any() else np.inf


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
    predictions: Predictions,
    wrong: np.ndarray,
    overlapping: tuple[Overlap, ...],
) -> tuple[Misplaced, ...]:
    """Describe the misplaced clips; between folders that look alike, neither place is wrong."""
    alike = {frozenset(each.labels) for each in overlapping}
    found = []
    for each in np.flatnonzero(wrong).tolist():
        own, winner = int(clips.labels[each]), int(predictions.winner[each])
        label, looks_like = clips.names[own], clips.names[winner]
        if frozenset((label, looks_like)) not in alike:
            others = clips.rows[clips.labels == winner]
            (near,) = features.neighbours(clips.rows[[each]], others)
            path = features.source.paths[clips.rows[each]]
            found.append(Misplaced(path, label, looks_like, tuple(n.path for n in near)))
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
