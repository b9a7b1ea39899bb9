"""What in a collection would harm a classifier: the same clip in two folders, videos in the wrong
folder, folders with too few videos, and folders that cannot be told apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.voting import Labeled, Voter, Votes, labeled_of
from store.duplicates import duplicate_groups
from store.neighbours import centred
from store.vectors import Vectors

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

LEAST_LEAD = 0.7
"""Of the weight for another folder over the video's own one, as a logarithm: two to one.
The neighbours of a misplaced video are not always all of the other folder: another misplaced one,
or a far one that fills the number, may be among them."""

LEAST_EVIDENCE = 0.25
"""For that folder, also against strange ones: a video that is like nothing else is not misplaced.
"""

ROUNDS = 3
"""In each, the videos that were found misplaced have no voice any more."""

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
    """A video whose neighbours are all in another folder; `share`: how much of their weight."""

    path: str
    label: str
    looks_like: str
    share: float
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
class Findings:
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


def check(vectors: Vectors) -> Findings:
    """Look through the rows of one recipe."""
    groups = duplicate_groups(vectors)
    duplicates = _duplicates(vectors, groups)
    labeled = labeled_of(centred(vectors.embeddings), vectors.labels, groups)
    overlapping, misplaced = _compare(vectors, labeled) if len(labeled) else ((), ())
    return Findings(
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
    vectors: Vectors, labeled: Labeled
) -> tuple[tuple[Overlap, ...], tuple[Misplaced, ...]]:
    """Of each labeled clip, what its neighbours say when it is left out itself."""
    wrong = np.zeros(len(labeled), bool)
    for _ in range(ROUNDS):
        heard = labeled.only(~wrong)
        votes = Voter(heard).vote(labeled.vectors, [(labeled.groups, heard.groups)])
        found = _is_misplaced(labeled, votes)
        if (found == wrong).all():
            break
        wrong = found
    alike = _overlaps(labeled, votes)
    wrong &= ~_in_overlap(labeled, votes, alike)
    misplaced = (
        _misplaced(vectors, labeled, heard, votes, each) for each in np.flatnonzero(wrong).tolist()
    )
    return alike, tuple(misplaced)


def _is_misplaced(labeled: Labeled, votes: Votes) -> np.ndarray:
    clips = np.bincount(labeled.labels, minlength=len(labeled.names))
    own = votes.shares[np.arange(len(labeled)), labeled.labels]
    leads = votes.shares.max(axis=1) >= np.exp(LEAST_LEAD) * own
    differs = (votes.winner >= 0) & (votes.winner != labeled.labels)
    can_tell = clips[labeled.labels] >= FEW_CLIPS
    misplaced: np.ndarray = differs & leads & can_tell & (votes.evidence >= LEAST_EVIDENCE)
    return misplaced


def _in_overlap(labeled: Labeled, votes: Votes, overlaps: tuple[Overlap, ...]) -> np.ndarray:
    """Which clips look like a folder that looks like their own: neither place is wrong."""
    pairs = {frozenset(each.labels) for each in overlaps}
    names, label, winner = labeled.names, labeled.labels.tolist(), votes.winner.tolist()
    found = [frozenset((names[a], names[b])) in pairs for a, b in zip(label, winner, strict=True)]
    return np.array(found, bool)


def _misplaced(
    vectors: Vectors, labeled: Labeled, heard: Labeled, votes: Votes, each: int
) -> Misplaced:
    winner = int(votes.winner[each])
    nearest = [i for i in votes.neighbours.indices[each].tolist() if i >= 0]
    agreeing = [vectors.paths[heard.rows[i]] for i in nearest if heard.labels[i] == winner]
    row = int(labeled.rows[each])
    return Misplaced(
        vectors.paths[row],
        str(vectors.labels[row]),
        labeled.names[winner],
        float(votes.shares[each, winner]),
        tuple(agreeing[:3]),
    )


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
