"""A folder for each unlabeled video: what the labeled videos tell, or the name of a new folder,
or nothing where that is not enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.labels.classifier import (
    Confidence,
    Labeled,
    ShrunkLda,
    calibrated,
    labeled_of,
    left_out,
    reduced,
)
from pipeline.labels.folder_names import EncodeTexts, fit_names
from store.analysis.duplicates import duplicate_groups
from store.analysis.neighbours import centred, nearest
from store.analysis.vectors import Vectors

FEW_VIDEOS = 3
"""A folder of fewer is also known by its name."""

SHOWN_NEIGHBOURS = 3


@dataclass(frozen=True)
class Witness:
    """A labeled video that speaks for a suggestion; `score` is 1 for the same vectors and about 0
    for unrelated ones."""

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class Suggestion:
    """Args:
    path: of the unlabeled video.
    label: the folder; None where it is not known.
    guess: the likeliest folder, however unsure; None without any.
    confidence: how probable it is that the guess is right, 0 to 1.
    by: `neighbours` or `name`.
    neighbours: the nearest videos of that folder, nearest first.
    """

    path: str
    label: str | None
    guess: str | None
    confidence: float
    by: str
    neighbours: tuple[Witness, ...] = ()


@dataclass(frozen=True)
class Measured:
    """On labeled videos, each as if it were not: how many there were, how many had an answer, and
    how many of the answers were right."""

    videos: int
    answered: int
    right: int


@dataclass(frozen=True)
class Advice:
    """Args:
    suggestions: one of each unlabeled video, in path order.
    leave_one_out: of what is learned from the labeled videos.
    by_name: of the names; None where none was asked for.
    """

    suggestions: tuple[Suggestion, ...]
    leave_one_out: Measured
    by_name: Measured | None


def suggest(
    vectors: Vectors,
    folders: Sequence[str],
    encoder: Callable[[], EncodeTexts],
    min_confidence: float,
) -> Advice:
    """Args:
    vectors: of the collection.
    folders: names of all folders, also of empty ones.
    encoder: gives CLIP's text encoder; asked for only where a folder is known by its name.
    min_confidence: below it, a guess is no suggestion.
    """
    unlabeled = np.flatnonzero([label is None for label in vectors.labels])
    guesses, leave_one_out = _by_labeled(vectors, unlabeled, min_confidence)
    by_name = None
    new = _new_folders(vectors, folders)
    if new and len(folders) > 1 and len(unlabeled):
        named, by_name = _by_name(vectors, sorted(folders), encoder(), min_confidence)
        for row in unlabeled.tolist():
            if named[row].guess in new and named[row].confidence > guesses[row].confidence:
                guesses[row] = named[row]
    sure = [_if_sure(guesses[row], min_confidence) for row in unlabeled.tolist()]
    return Advice(tuple(sure), leave_one_out, by_name)


def _by_labeled(
    vectors: Vectors, rows: np.ndarray, min_confidence: float
) -> tuple[dict[int, Suggestion], Measured]:
    groups = duplicate_groups(vectors)
    moved = centred(vectors.embeddings)
    turned = reduced(moved)
    labeled = labeled_of(turned, vectors.labels, groups)
    labeled = labeled.only(~labeled.doubtful)  # nothing is learned from those, nor measured
    if not len(labeled):
        return {r: _nothing(vectors.paths[r]) for r in rows.tolist()}, Measured(0, 0, 0)
    tried = left_out(labeled)
    confidence = calibrated(labeled, tried)
    winner, sure = _judged(labeled, confidence, turned[rows], groups[rows])
    guesses = {}
    for number, name in enumerate(labeled.names):
        mine, theirs = winner == number, labeled.rows[labeled.labels == number]
        found = nearest(moved[rows[mine]], moved[theirs], SHOWN_NEIGHBOURS)
        witnesses = [
            tuple(
                Witness(vectors.paths[theirs[i]], name, float(s))
                for i, s in zip(*each, strict=True)
            )
            for each in zip(found.indices, found.scores, strict=True)
        ]
        for row, certainty, seen in zip(rows[mine], sure[mine], witnesses, strict=True):
            path = vectors.paths[row]
            guesses[int(row)] = Suggestion(path, None, name, float(certainty), "neighbours", seen)
    answered = confidence(tried.evidence) >= min_confidence
    right = answered & (tried.winner == labeled.labels)
    return guesses, Measured(len(labeled), int(answered.sum()), int(right.sum()))


def _judged(
    labeled: Labeled, confidence: Confidence, queries: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest folder of each query, and how probable that is."""
    votes = ShrunkLda(labeled.vectors, labeled.labels, len(labeled.names)).vote(queries)
    winner, sure = votes.winner.copy(), confidence(votes.evidence)
    for place, group in enumerate(groups.tolist()):
        folders = np.unique(labeled.labels[labeled.groups == group])
        if len(folders) == 1:  # a person has put the very same clip there
            winner[place], sure[place] = folders[0], 1.0
    return winner, sure


def _by_name(
    vectors: Vectors, names: Sequence[str], encode: EncodeTexts, min_confidence: float
) -> tuple[list[Suggestion], Measured]:
    """A guess for every video of the collection; how good they are is seen on the labeled ones."""
    fits = fit_names(vectors, names, encode)
    guessed = [names[index] for index in fits.winner]
    known = np.flatnonzero([label is not None for label in vectors.labels])
    right = np.array([guessed[row] == vectors.labels[row] for row in known.tolist()], bool)
    confidence = Confidence(fits.evidence[known], right, np.ones(len(known)))
    sure = confidence(fits.evidence)
    answered = sure[known] >= min_confidence
    guesses = [
        Suggestion(path, None, guess, float(each), "name")
        for path, guess, each in zip(vectors.paths, guessed, sure, strict=True)
    ]
    return guesses, Measured(len(known), int(answered.sum()), int((answered & right).sum()))


def _new_folders(vectors: Vectors, folders: Sequence[str]) -> set[str]:
    counts = Counter(vectors.labels)
    return {name for name in folders if counts[name] < FEW_VIDEOS}


def _nothing(path: str) -> Suggestion:
    return Suggestion(path, None, None, 0.0, "neighbours")


def _if_sure(guess: Suggestion, min_confidence: float) -> Suggestion:
    is_sure = guess.guess is not None and guess.confidence >= min_confidence
    return replace(guess, label=guess.guess) if is_sure else guess
