"""Suggested folders: kept as columns, shown as objects or as JSON.

Those of 100,000 videos are 30,000 suggestions with 270,000 neighbours, of which a page shows fifty.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np

from pipeline.labels.guesses import FOLDERS, Guesses
from store.analysis.vectors import Rows


@dataclass(frozen=True)
class Neighbour:
    """A labeled video that is near another one.

    Args:
        path: row path.
        label: folder.
        score: cosine after centring: 1 for equal vectors, about 0 for unrelated ones.
    """

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class Likely:
    """A folder that a video may belong in.

    Args:
        folder: its name.
        probability: that the video belongs there, 0 to 1.
        neighbours: nearest videos of that folder, nearest first.
    """

    folder: str
    probability: float
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """The likely folder of an unlabeled video.

    Args:
        path: row path of the video.
        content_hash: content that the suggestion is about.
        label: suggested folder; None where the confidence is too low.
        guess: likeliest folder at any confidence; None without any labeled video.
        confidence: probability that the guess is right, 0 to 1.
        by: `neighbours` or `name`.
        neighbours: nearest videos of the guessed folder, nearest first.
        others: the next likeliest folders, likeliest first.
    """

    path: str
    content_hash: str
    label: str | None = None
    guess: str | None = None
    confidence: float = 0.0
    by: str = "neighbours"
    neighbours: tuple[Neighbour, ...] = ()
    others: tuple[Likely, ...] = ()


@dataclass(frozen=True, eq=False)
class Suggestions(Sequence[Suggestion]):
    """The suggestions of `q` unlabeled rows, in path order.

    Args:
        rows: of the collection.
        guesses: folders by the labeled videos.
        named: names of folders that are guessed by name; empty where one is not.
        confidence: float64 `[q]` probability that the guess is right.
        min_confidence: confidence that a guess needs to be a suggestion.
    """

    rows: Rows
    guesses: Guesses
    named: Sequence[str]
    confidence: np.ndarray
    min_confidence: float

    def __len__(self) -> int:
        return len(self.confidence)

    @overload
    def __getitem__(self, place: int) -> Suggestion: ...
    @overload
    def __getitem__(self, place: slice) -> list[Suggestion]: ...
    def __getitem__(self, place: int | slice) -> Suggestion | list[Suggestion]:
        if isinstance(place, slice):
            return self._objects(range(len(self))[place])
        return self._objects([range(len(self))[place]])[0]

    def __iter__(self) -> Iterator[Suggestion]:
        return iter(self[:])

    @cached_property
    def paths(self) -> list[str]:
        """Row path of each video."""
        return [self.rows.paths[row] for row in self.guesses.rows.tolist()]

    @cached_property
    def hashes(self) -> list[str]:
        """Content hash of each video."""
        return [self.rows.hashes[row] for row in self.guesses.rows.tolist()]

    @cached_property
    def folders(self) -> list[str | None]:
        """Folder that is guessed of each video; None without any labeled video."""
        names = (*self.guesses.names, None)  # the last one is that of -1
        first = self.guesses.folders[:, 0].tolist()
        return [named or names[likely] for named, likely in zip(self.named, first, strict=True)]

    def documents(
        self, places: Sequence[int] | slice, shown: Callable[[str], str]
    ) -> list[dict[str, Any]]:
        """Return the JSON objects of some of the suggestions.

        Args:
            places: which ones.
            shown: turns a row path into the path that a person sees.
        """
        names, paths = self.guesses.names, self.rows.paths
        columns = (self.guesses.rows, self.guesses.folders, self.guesses.probability)
        every = (np.arange(len(self)), self.confidence, *columns)
        near = self._neighbours(places, shown)
        found = []
        for number, (at, confidence, row, *ranked) in enumerate(
            zip(*(column[places].tolist() for column in every), strict=True)
        ):
            witnesses = near[FOLDERS * number : FOLDERS * (number + 1)]
            likely = [
                {"folder": names[folder], "probability": probability, "neighbours": few}
                for folder, probability, few in zip(*ranked, witnesses, strict=True)
                if folder >= 0
            ]
            guess, by_name = self.folders[at], bool(self.named[at])
            found.append(
                {
                    "path": shown(paths[row]),
                    "label": guess if confidence >= self.min_confidence else None,
                    "guess": guess,
                    "confidence": confidence,
                    "by": "name" if by_name else "neighbours",
                    "neighbours": likely[0]["neighbours"] if likely and not by_name else [],
                    "others": likely[1:],
                }
            )
        return found

    def _neighbours(
        self, places: Sequence[int] | slice, shown: Callable[[str], str]
    ) -> list[list[dict[str, Any]]]:
        """Return the neighbours in each of the FOLDERS folders of each row, one row's in a row."""
        near, labels = self.guesses.near[places], self.rows.labels
        is_there = near >= 0
        rows, scores = near[is_there].tolist(), self.guesses.scores[places][is_there].tolist()
        path_of = {row: shown(self.rows.paths[row]) for row in set(rows)}
        each = zip(
            map(path_of.__getitem__, rows), map(labels.__getitem__, rows), scores, strict=True
        )
        flat = [{"path": path, "label": label, "score": score} for path, label, score in each]
        ends = np.cumsum(is_there.sum(axis=2)).tolist()
        return [flat[begin:end] for begin, end in pairwise([0, *ends])]

    def _objects(self, places: Sequence[int]) -> list[Suggestion]:
        return [
            Suggestion(
                content_hash=self.hashes[at],
                neighbours=_neighbours(each.pop("neighbours")),
                others=tuple(
                    Likely(**{**other, "neighbours": _neighbours(other["neighbours"])})
                    for other in each.pop("others")
                ),
                **each,
            )
            for at, each in zip(places, self.documents(places, str), strict=True)
        ]


@dataclass(frozen=True)
class Accuracy:
    """How the suggestions fare on labeled videos, each predicted as if it had no label.

    Args:
        videos: labeled videos that were tried.
        answered: videos with a confident answer.
        right: answers that name the video's own folder.
    """

    videos: int
    answered: int
    right: int

    def as_document(self) -> dict[str, Any]:
        """Return the JSON object, with `accuracy` of the answers and `coverage` of the videos."""
        return {
            **asdict(self),
            "accuracy": self.right / self.answered if self.answered else None,
            "coverage": self.answered / self.videos if self.videos else None,
        }


@dataclass(frozen=True, eq=False)
class Advice:
    """The suggestions for a collection, and how far to trust them.

    Args:
        suggestions: one for each unlabeled video, in path order.
        leave_one_out: accuracy of what the labeled videos suggest.
        by_name: accuracy of what folder names suggest; None where no name was matched.
        remark: in what the answer may differ from a whole new one; None where it does not.
    """

    suggestions: Suggestions
    leave_one_out: Accuracy
    by_name: Accuracy | None
    remark: str | None = None

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """
        with _without_collector():
            suggestions = self.suggestions.documents(slice(None), shown)
        return {
            "suggestions": suggestions,
            "min_confidence": self.suggestions.min_confidence,
            "leave_one_out": self.leave_one_out.as_document(),
            "by_name": self.by_name and self.by_name.as_document(),
            "remark": self.remark,
        }


def _neighbours(documents: Sequence[dict[str, Any]]) -> tuple[Neighbour, ...]:
    return tuple(Neighbour(**each) for each in documents)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Make many objects without Python's search for cycles, which takes as long again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
