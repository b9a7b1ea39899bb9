"""Suggest a folder for each unlabeled video, or none where the evidence is too weak.

The evidence is the labeled videos, or the name of a folder with too few of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.labels.classifier import (
    LabeledClips,
    Moments,
    PlattScaling,
    ShrunkLda,
    calibrate,
    leave_one_out,
)
from pipeline.labels.features import Features, Neighbour
from pipeline.labels.folder_names import EncodeTexts, match_names

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

FEW_VIDEOS = 3
"""A folder with fewer labeled videos is also matched by its name."""


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
    """

    path: str
    content_hash: str
    label: str | None = None
    guess: str | None = None
    confidence: float = 0.0
    by: str = "neighbours"
    neighbours: tuple[Neighbour, ...] = ()


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


@dataclass(frozen=True)
class Advice:
    """The suggestions for a collection, and how far to trust them.

    Args:
        suggestions: one for each unlabeled video, in path order.
        min_confidence: confidence that a guess needs to be a suggestion.
        leave_one_out: accuracy of what the labeled videos suggest.
        by_name: accuracy of what folder names suggest; None where no name was matched.
    """

    suggestions: tuple[Suggestion, ...]
    min_confidence: float
    leave_one_out: Accuracy
    by_name: Accuracy | None

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """
        suggestions = [asdict(each) for each in self.suggestions]
        for each in suggestions:
            del each["content_hash"]
            each["path"] = shown(each["path"])
            for neighbour in each["neighbours"]:
                neighbour["path"] = shown(neighbour["path"])
        return {
            "suggestions": suggestions,
            "min_confidence": self.min_confidence,
            "leave_one_out": self.leave_one_out.as_document(),
            "by_name": self.by_name and self.by_name.as_document(),
        }


def suggest_folders(
    project: Project, min_confidence: float, report: Callable[[str], None]
) -> Advice:
    """Suggest folders for the unlabeled videos of a project.

    Args:
        project: open project.
        min_confidence: probability below which a guess is no suggestion.
        report: receives a line for a person when a model is loaded.

    Raises:
        StoreError: the store cannot be read.
        ModelError: CLIP is needed for folder names and cannot be loaded.
    """

    def load_encoder() -> EncodeTexts:
        from pipeline.models.loaded import Models

        return Models(project.settings, report).clip().encode_texts

    vectors = project.vectors()
    folders = project.folders() | {label for label in vectors.labels if label is not None}
    return suggest(vectors, sorted(folders), load_encoder, min_confidence)


def suggest(
    vectors: Vectors,
    folders: Sequence[str],
    load_encoder: Callable[[], EncodeTexts],
    min_confidence: float,
) -> Advice:
    """Suggest folders for the unlabeled rows.

    Args:
        vectors: rows of one recipe.
        folders: names of all folders, empty ones included, in order.
        load_encoder: loads CLIP's text encoder; called only where a folder name is matched.
        min_confidence: probability below which a guess is no suggestion.
    """
    unlabeled = np.flatnonzero([label is None for label in vectors.labels])
    guesses, leave_one_out = _by_labeled(vectors, unlabeled, min_confidence)
    by_name = None
    counts = Counter(vectors.labels)
    new = {name for name in folders if counts[name] < FEW_VIDEOS}
    if new and len(folders) > 1 and len(unlabeled):
        named, by_name = _by_name(vectors, folders, load_encoder(), min_confidence)
        for place, row in enumerate(unlabeled.tolist()):
            if named[row].guess in new and named[row].confidence > guesses[place].confidence:
                guesses[place] = named[row]
    confident = (
        replace(each, label=each.guess if each.confidence >= min_confidence else None)
        for each in guesses
    )
    return Advice(tuple(confident), min_confidence, leave_one_out, by_name)


def _by_labeled(
    vectors: Vectors, unlabeled: np.ndarray, min_confidence: float
) -> tuple[list[Suggestion], Accuracy]:
    """Guess the folder of each unlabeled row, and measure such guesses on the labeled clips."""
    guesses = [Suggestion(vectors.paths[row], vectors.hashes[row]) for row in unlabeled.tolist()]
    features = Features.of(vectors)
    clips = features.labeled()
    clips = clips.select(~clips.ambiguous)
    if not len(clips):
        return guesses, Accuracy(0, 0, 0)
    tried = leave_one_out(clips)
    probability = calibrate(clips, tried)
    winner, confidence = _classify(features, clips, probability, unlabeled)
    for number, name in enumerate(clips.names):
        places = np.flatnonzero(winner == number)
        near = features.neighbours(unlabeled[places], clips.rows[clips.labels == number])
        for place, neighbours in zip(places.tolist(), near, strict=True):
            guesses[place] = replace(
                guesses[place],
                guess=name,
                confidence=float(confidence[place]),
                neighbours=neighbours,
            )
    right = tried.winner == clips.labels
    return guesses, _accuracy(probability(tried.margin) >= min_confidence, right)


def _classify(
    features: Features, clips: LabeledClips, probability: PlattScaling, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest folder of each row, int64 `[q]`, and its probability, float64 `[q]`."""
    lda = ShrunkLda(Moments.of(clips.vectors, clips.labels, len(clips.names)))
    found = lda.predict(features.reduced[rows])
    winner, confidence = found.winner.copy(), probability(found.margin)
    folder_of = dict(zip(clips.groups.tolist(), clips.labels.tolist(), strict=True))
    for place, group in enumerate(features.groups[rows].tolist()):
        if group in folder_of:  # a person has put a copy of this clip there
            winner[place], confidence[place] = folder_of[group], 1.0
    return winner, confidence


def _by_name(
    vectors: Vectors, names: Sequence[str], encode: EncodeTexts, min_confidence: float
) -> tuple[list[Suggestion], Accuracy]:
    """Guess the folder of every row by its name, and measure such guesses on the labeled rows."""
    matches = match_names(vectors, names, encode)
    guessed = [names[index] for index in matches.winner]
    known = np.flatnonzero([label is not None for label in vectors.labels])
    right = np.array([guessed[row] == vectors.labels[row] for row in known.tolist()], bool)
    probability = PlattScaling(matches.margin[known], right, np.ones(len(known)))
    confidence = probability(matches.margin)
    guesses = [
        Suggestion(path, content_hash, guess=guess, confidence=float(each), by="name")
        for path, content_hash, guess, each in zip(
            vectors.paths, vectors.hashes, guessed, confidence, strict=True
        )
    ]
    return guesses, _accuracy(confidence[known] >= min_confidence, right)


def _accuracy(answered: np.ndarray, right: np.ndarray) -> Accuracy:
    return Accuracy(len(right), int(answered.sum()), int((answered & right).sum()))
