"""Find what in a collection would harm a classifier.

That is the same clip in two folders, videos in the wrong folder, folders with too few videos, and
folders that cannot be told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson

from pipeline.labels.classifier import Clips
from pipeline.labels.features import Features, with_features
from pipeline.labels.judgement import FEW_CLIPS, MIN_CONFIDENCE, Judgement
from pipeline.labels.judgement import SUBJECT as JUDGEMENT
from pipeline.labels.witnesses import Witnesses
from store.analysis.kept import Kept
from store.analysis.vectors import read_present

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

OVERLAP_SHARE = 0.4
"""Share of the clips of two folders that look like the other one; half of them would be chance."""

_SUBJECT = "check"


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
        remark: in what the answer may differ from a whole new one; None where it does not.
    """

    videos: int
    in_two_folders: tuple[Duplicates, ...] = ()
    labeled_and_unlabeled: tuple[Duplicates, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()
    small: tuple[SmallFolder, ...] = ()
    overlapping: tuple[Overlap, ...] = ()
    remark: str | None = None

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Read what orjson makes of a result."""
        found = orjson.loads(text)

        def copies(documents: list[dict[str, Any]]) -> tuple[Duplicates, ...]:
            return tuple(
                Duplicates(tuple(Place(**place) for place in each["videos"]), each["exact"])
                for each in documents
            )

        return cls(
            found["videos"],
            copies(found["in_two_folders"]),
            copies(found["labeled_and_unlabeled"]),
            tuple(
                Misplaced(**{**each, "neighbours": tuple(each["neighbours"])})
                for each in found["misplaced"]
            ),
            tuple(SmallFolder(**each) for each in found["small"]),
            tuple(Overlap(tuple(each["labels"]), each["share"]) for each in found["overlapping"]),
            found["remark"],
        )

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """

        def copies(found: tuple[Duplicates, ...]) -> list[dict[str, Any]]:
            return [
                {
                    **vars(each),
                    "videos": [{**vars(place), "path": shown(place.path)} for place in each.videos],
                }
                for each in found
            ]

        return {
            **vars(self),
            "in_two_folders": copies(self.in_two_folders),
            "labeled_and_unlabeled": copies(self.labeled_and_unlabeled),
            "misplaced": [
                {
                    **vars(each),
                    "path": shown(each.path),
                    "neighbours": [shown(path) for path in each.neighbours],
                }
                for each in self.misplaced
            ],
            "small": [vars(each) for each in self.small],
            "overlapping": [vars(each) for each in self.overlapping],
        }


def check_folders(project: Project) -> CheckResult:
    """Check the folders of a project, with what is kept beside its store.

    Raises:
        StoreError: the store cannot be read.
    """

    def follow(features: Features) -> CheckResult:
        arrays = kept.load(JUDGEMENT)
        before = Judgement.from_arrays(arrays).updated(features) if arrays else None
        judgement = before or Judgement.make(features)
        kept.save(JUDGEMENT, judgement.to_arrays())
        found, witnesses = _check(
            features, judgement, Witnesses.from_arrays(known) if known else None
        )
        text, digest = orjson.dumps(found), features.source.digest()
        arrays = {"text": np.frombuffer(text, np.uint8), "digest": np.array(digest)}
        kept.save(_SUBJECT, {**arrays, **witnesses.to_arrays()})
        return found

    kept = Kept(project.store, project.recipe)
    rows = read_present(project.store, project.recipe)
    known = kept.load(_SUBJECT)
    if known is not None and str(known["digest"]) == rows.digest():
        return CheckResult.read(known["text"].tobytes())
    return with_features(project.store, project.recipe, rows, follow)


def check(vectors: Vectors) -> CheckResult:
    """Check the labels of the rows of one recipe."""
    features = Features.of(vectors)
    return _check(features, Judgement.make(features))[0]


def _check(
    features: Features, judgement: Judgement, before: Witnesses | None = None
) -> tuple[CheckResult, Witnesses]:
    """Say what was found, and by which witnesses; `before` are those of the last time."""
    clips = features.clips
    confidence, winner = judgement.of(clips)
    overlapping = _overlaps(clips, winner)
    wrong = _wrong(clips, confidence, winner, overlapping)
    witnesses = Witnesses.find(features, clips, clips.rows[wrong], winner[wrong], before)
    paths = features.source.paths
    misplaced = [
        Misplaced(
            paths[clips.rows[each]],
            clips.names[clips.labels[each]],
            clips.names[winner[each]],
            float(confidence[each]),
            tuple(paths[row] for row in rows if row >= 0),
        )
        for each, rows in zip(wrong, witnesses.near_rows.tolist(), strict=True)
    ]
    duplicates = _duplicates(features)
    result = CheckResult(
        videos=len(features.source),
        in_two_folders=tuple(each for each in duplicates if len(each.labels) > 1),
        labeled_and_unlabeled=tuple(each for each in duplicates if len(each.labels) == 1),
        misplaced=tuple(misplaced),
        small=tuple(
            SmallFolder(name, count)
            for name, count in zip(clips.names, clips.counts.tolist(), strict=True)
            if count < FEW_CLIPS
        ),
        overlapping=overlapping,
        remark=features.remark(judgement.changes),
    )
    return result, witnesses


def _overlaps(clips: Clips, winner: np.ndarray) -> tuple[Overlap, ...]:
    """Return the pairs of folders whose clips look like the other one's."""
    n, counts = len(clips.names), clips.counts
    confused = np.zeros((n, n), int)
    answered = winner >= 0
    np.add.at(confused, (clips.labels[answered], winner[answered]), 1)
    found = []
    for a, b in combinations(range(n), 2):
        crossed, total = confused[a, b] + confused[b, a], counts[a] + counts[b]
        if min(counts[a], counts[b]) >= FEW_CLIPS and crossed >= OVERLAP_SHARE * total:
            found.append(Overlap((clips.names[a], clips.names[b]), float(crossed / total)))
    return tuple(found)


def _wrong(
    clips: Clips, confidence: np.ndarray, winner: np.ndarray, overlapping: tuple[Overlap, ...]
) -> list[int]:
    """Return the misplaced clips; between folders that look alike, neither place is wrong."""
    alike = {frozenset(each.labels) for each in overlapping}
    return [
        each
        for each in np.flatnonzero(confidence >= MIN_CONFIDENCE).tolist()
        if frozenset((clips.names[clips.labels[each]], clips.names[winner[each]])) not in alike
    ]


def _duplicates(features: Features) -> list[Duplicates]:
    """Return the clips with more than one label, or with and without one, in path order."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    source = features.source
    copies = np.flatnonzero(np.bincount(features.groups)[features.groups] > 1)
    for row, group in zip(copies.tolist(), features.groups[copies].tolist(), strict=True):
        members[group].append(row)
    return [
        Duplicates(
            tuple(Place(source.paths[row], source.labels[row]) for row in rows),
            exact=len({source.hashes[row] for row in rows}) == 1,
        )
        for rows in members.values()
        if len({source.labels[row] for row in rows}) > 1
    ]
