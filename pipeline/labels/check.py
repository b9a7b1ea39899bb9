"""What in a collection would harm a classifier: the same clip in two folders, videos in the wrong
folder, folders with too few videos, and folders that cannot be told apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.labels.classifier import Labeled, Votes, labeled_of, left_out, reduced
from store.analysis.duplicates import duplicate_groups
from store.analysis.neighbours import centred, nearest
from store.analysis.vectors import Vectors

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

LEAST_LEAD = 0.35
"""For another folder over the video's own one, in shares of the lead that a video's own folder
has over the next, mostly. A look at a video that is in its place after all costs less than one
that stays in the wrong folder."""

SHOWN_NEIGHBOURS = 3
ROUNDS = 8
"""In each, the plainest of the misplaced videos are set aside, and nothing is learned from them any
more: they blur the folders that they are in, and others look misplaced because of them."""

PLAINEST = 0.25  # of those that seem misplaced, and at least one

OVERLAP_SHARE = 0.4
"""Of the clips of two folders that look like the other one; half of them is chance."""


@dataclass(frozen=True)
class Place:
    """A video and its label, None where it is unlabeled."""

    path: str
    label: str | None


@dataclass(frozen=True)
class Duplicates:
    """The same clip (`exact`: the same bytes) in several places."""

    videos: tuple[Place, ...]
    exact: bool


@dataclass(frozen=True)
class Misplaced:
    """A video that is like those of another folder, and the nearest of them."""

    path: str
    label: str
    looks_like: str
    neighbours: tuple[str, ...]


@dataclass(frozen=True)
class SmallFolder:
    """A folder with few different clips."""

    label: str
    clips: int


@dataclass(frozen=True)
class Overlap:
    """Two folders that look alike; `share`: of their clips that look like the other's."""

    labels: tuple[str, str]
    share: float


@dataclass(frozen=True)
class CheckResult:
    """Each in path order.

    Args:
        in_two_folders: the same clip under several labels.
        labeled_and_unlabeled: the same clip in a folder and outside.
        misplaced: videos that are probably in the wrong folder.
        small: folders with too few videos.
        overlapping: folders that look alike.
    """

    in_two_folders: tuple[Duplicates, ...]
    labeled_and_unlabeled: tuple[Duplicates, ...]
    misplaced: tuple[Misplaced, ...]
    small: tuple[SmallFolder, ...]
    overlapping: tuple[Overlap, ...]


def check(vectors: Vectors) -> CheckResult:
    """Look through the rows of one recipe."""
    groups = duplicate_groups(vectors)
    duplicates = _duplicates(vectors, groups)
    moved = centred(vectors.embeddings)
    labeled = labeled_of(reduced(moved), vectors.labels, groups)
    overlapping, misplaced = _compare(vectors, moved, labeled) if len(labeled) else ((), ())
    return CheckResult(
        tuple(each for each in duplicates if len(_labels(each)) > 1),
        tuple(each for each in duplicates if len(_labels(each)) == 1 and _has_unlabeled(each)),
        misplaced,
        tuple(
            SmallFolder(name, int((labeled.labels == number).sum()))
            for number, name in enumerate(labeled.names)
            if (labeled.labels == number).sum() < FEW_CLIPS
        ),
        overlapping,
    )


def _duplicates(vectors: Vectors, groups: np.ndarray) -> list[Duplicates]:
    """Groups with more than one place among them, in path order."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        members[group].append(row)
    found = []
    for rows in members.values():
        if len({vectors.labels[row] for row in rows}) > 1:
            places = tuple(Place(vectors.paths[row], vectors.labels[row]) for row in rows)
            found.append(Duplicates(places, len({vectors.hashes[row] for row in rows}) == 1))
    return found


def _labels(found: Duplicates) -> set[str]:
    return {place.label for place in found.videos if place.label is not None}


def _has_unlabeled(found: Duplicates) -> bool:
    return any(place.label is None for place in found.videos)


def _compare(
    vectors: Vectors, moved: np.ndarray, labeled: Labeled
) -> tuple[tuple[Overlap, ...], tuple[Misplaced, ...]]:
    """What is said of each labeled clip when it is left out itself."""
    wrong, least = np.zeros(len(labeled), bool), np.inf
    for _ in range(ROUNDS):
        votes = left_out(labeled, ~(wrong | labeled.doubtful))
        lead = _lead_of_others(labeled, votes)
        least = min(least, LEAST_LEAD * _usual_lead(labeled, votes))
        found = np.flatnonzero((lead >= least) & ~wrong)
        wrong &= lead >= least
        if not len(found):
            break
        plainest = found[np.argsort(-lead[found], kind="stable")]
        wrong[plainest[: max(round(PLAINEST * len(found)), 1)]] = True
    alike = _overlaps(labeled, votes)
    wrong &= ~_in_overlap(labeled, votes, alike)
    misplaced = (
        _misplaced(vectors, moved, labeled, each, int(votes.winner[each]))
        for each in np.flatnonzero(wrong).tolist()
    )
    return alike, tuple(misplaced)


def _lead_of_others(labeled: Labeled, votes: Votes) -> np.ndarray:
    """float64 `[n]`: how far another folder leads over a clip's own one; minus infinity where its
    own is first, or where nothing can be told."""
    clips = np.bincount(labeled.labels, minlength=len(labeled.names))
    own = votes.scores[np.arange(len(labeled)), labeled.labels]
    known = np.isfinite(own) & np.isfinite(votes.evidence) & (clips[labeled.labels] >= FEW_CLIPS)
    other = known & (votes.winner != labeled.labels)
    lead = np.full(len(labeled), -np.inf)
    lead[other] = votes.scores[other].max(axis=1) - own[other]
    return lead


def _usual_lead(labeled: Labeled, votes: Votes) -> float:
    """The median lead of clips' own folders over the next; infinity where there are none."""
    own = (votes.winner == labeled.labels) & np.isfinite(votes.evidence)
    return float(np.median(votes.evidence[own])) if own.any() else np.inf


def _in_overlap(labeled: Labeled, votes: Votes, overlaps: tuple[Overlap, ...]) -> np.ndarray:
    """Which clips look like a folder that looks like their own: neither place is wrong."""
    pairs = {frozenset(each.labels) for each in overlaps}
    names, label, winner = labeled.names, labeled.labels.tolist(), votes.winner.tolist()
    found = [frozenset((names[a], names[b])) in pairs for a, b in zip(label, winner, strict=True)]
    return np.array(found, bool)


def _misplaced(
    vectors: Vectors, moved: np.ndarray, labeled: Labeled, each: int, winner: int
) -> Misplaced:
    row = int(labeled.rows[each])
    others = labeled.rows[labeled.labels == winner]
    (found,) = nearest(moved[[row]], moved[others], SHOWN_NEIGHBOURS).indices
    nearby = tuple(vectors.paths[others[index]] for index in found)
    return Misplaced(vectors.paths[row], str(vectors.labels[row]), labeled.names[winner], nearby)


def _overlaps(labeled: Labeled, votes: Votes) -> tuple[Overlap, ...]:
    """Pairs of folders whose clips look like the other one's."""
    n = len(labeled.names)
    clips = np.bincount(labeled.labels, minlength=n)
    takes = np.zeros((n, n), int)
    answered = votes.winner >= 0
    np.add.at(takes, (labeled.labels[answered], votes.winner[answered]), 1)
    found = []
    for a, b in combinations(range(n), 2):
        crossed, total = takes[a, b] + takes[b, a], clips[a] + clips[b]
        if min(clips[a], clips[b]) >= FEW_CLIPS and crossed >= OVERLAP_SHARE * total:
            found.append(Overlap((labeled.names[a], labeled.names[b]), float(crossed / total)))
    return tuple(found)
