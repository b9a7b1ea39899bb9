"""A folder for each unlabeled video: what its neighbours say, or the name of a new folder, or
nothing where that is not enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.naming import EncodeTexts, fit_names
from pipeline.voting import Confidence, Voter, Votes, calibrated, labeled_of
from store.duplicates import duplicate_groups
from store.neighbours import centred
from store.vectors import Vectors

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
    leave_one_out: of the neighbours' votes.
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
    guesses, leave_one_out = _by_neighbours(vectors, unlabeled, min_confidence)
    by_name = None
    new = _new_folders(vectors, folders)
    if new and len(folders) > 1 and len(unlabeled):
        named, by_name = _by_name(vectors, sorted(folders), encoder(), min_confidence)
        for row in unlabeled.tolist():
            if named[row].guess in new and named[row].confidence > guesses[row].confidence:
                guesses[row] = named[row]
    sure = [_if_sure(guesses[row], min_confidence) for row in unlabeled.tolist()]
    return Advice(tuple(sure), leave_one_out, by_name)


def _by_neighbours(
    vectors: Vectors, rows: np.ndarray, min_confidence: float
) -> tuple[dict[int, Suggestion], Measured]:
    labeled = labeled_of(centred(vectors.embeddings), vectors.labels, duplicate_groups(vectors))
    if not len(labeled):
        return {r: _nothing(vectors.paths[r]) for r in rows.tolist()}, Measured(0, 0, 0)
    voter = Voter(labeled)
    confidence = calibrated(voter)
    votes = voter.vote(centred(vectors.embeddings)[rows])
    sure = confidence(votes.evidence)
    guesses = {}
    for place, row in enumerate(rows.tolist()):
        winner = int(votes.winner[place])
        guesses[row] = Suggestion(
            vectors.paths[row],
            None,
            labeled.names[winner] if winner >= 0 else None,
            float(sure[place]),
            "neighbours",
            _witnesses(vectors, voter, votes, place),
        )
    return guesses, _measure(voter, confidence, min_confidence)


def _witnesses(vectors: Vectors, voter: Voter, votes: Votes, place: int) -> tuple[Witness, ...]:
    labeled, winner = voter.labeled, votes.winner[place]
    nearest = zip(votes.neighbours.indices[place], votes.neighbours.scores[place], strict=True)
    agreeing = [(i, s) for i, s in nearest if i >= 0 and labeled.labels[i] == winner]
    return tuple(
        Witness(vectors.paths[labeled.rows[index]], labeled.names[winner], float(score))
        for index, score in agreeing[:SHOWN_NEIGHBOURS]
    )


def _measure(voter: Voter, confidence: Confidence, min_confidence: float) -> Measured:
    votes, which = voter.leave_one_out()
    answered = confidence(votes.evidence) >= min_confidence
    right = answered & (votes.winner == voter.labeled.labels[which])
    return Measured(len(which), int(answered.sum()), int(right.sum()))


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
