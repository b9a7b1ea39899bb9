"""Suggest a folder for each unlabeled video, or none where the evidence is too weak.

The evidence is the labeled videos, or the name of a folder with too few of them.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.labels.features import Features, with_features
from pipeline.labels.folder_model import FolderModel
from pipeline.labels.folder_names import EncodeTexts
from pipeline.labels.guesses import Guesses, NameGuesses
from store.analysis.kept import Kept

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

FEW_VIDEOS = 3
"""A folder with fewer labeled videos is also matched by its name."""


SUBJECT = "suggestions"

T = TypeVar("T")


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
        remark: in what the answer may differ from a whole new one; None where it does not.
    """

    suggestions: tuple[Suggestion, ...]
    min_confidence: float
    leave_one_out: Accuracy
    by_name: Accuracy | None
    remark: str | None = None

    def as_document(self, shown: Callable[[str], str]) -> dict[str, Any]:
        """Return the JSON document.

        Args:
            shown: turns a row path into the path that a person sees.
        """

        def near(found: tuple[Neighbour, ...]) -> list[dict[str, Any]]:
            return [{**vars(each), "path": shown(each.path)} for each in found]

        suggestions = []
        for each in self.suggestions:  # thousands: `asdict` would copy every number
            others = [
                {**vars(other), "neighbours": near(other.neighbours)} for other in each.others
            ]
            document = {**vars(each), "path": shown(each.path), "others": others}
            document["neighbours"] = near(each.neighbours)
            del document["content_hash"]
            suggestions.append(document)
        return {
            "suggestions": suggestions,
            "min_confidence": self.min_confidence,
            "leave_one_out": self.leave_one_out.as_document(),
            "by_name": self.by_name and self.by_name.as_document(),
            "remark": self.remark,
        }


def suggest_folders(
    project: Project, min_confidence: float, report: Callable[[str], None]
) -> Advice:
    """Suggest folders for the unlabeled videos of a project, with what is kept beside its store.

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

    kept = Kept(project.store, project.recipe)
    on_disk = project.folders()

    def advise(features: Features) -> Advice:
        folders = on_disk | {label for label in features.source.labels if label is not None}
        return _advise(features, sorted(folders), load_encoder, min_confidence, kept)

    return with_features(project.store, project.recipe, advise)


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
    return _advise(Features.of(vectors), folders, load_encoder, min_confidence, None)


def _advise(
    features: Features,
    folders: Sequence[str],
    load_encoder: Callable[[], EncodeTexts],
    min_confidence: float,
    kept: Kept | None,
) -> Advice:
    arrays = kept.load(SUBJECT) if kept else None
    digest = features.digest(str(features.space.identity), *folders)
    if arrays is not None and str(arrays["digest"]) == digest:
        guesses, named = Guesses.from_arrays(arrays), NameGuesses.from_arrays(arrays)
        return _advice(
            features, folders, FolderModel.from_arrays(arrays), guesses, named, min_confidence
        )
    before = FolderModel.from_arrays(arrays).updated(features) if arrays else None
    model = before or FolderModel.learn(features)
    unlabeled = np.flatnonzero([label is None for label in features.source.labels])
    guesses = Guesses.make(features, model, unlabeled)
    named = NameGuesses.from_arrays(arrays) if arrays else NameGuesses.none()
    is_named = len(folders) > 1 and len(unlabeled) > 0 and bool(_new(features, folders))
    named = named.made(features, folders, load_encoder) if is_named else named.without_rows()
    if kept:
        made = {**model.to_arrays(), **guesses.to_arrays(), **named.to_arrays()}
        kept.save(SUBJECT, {**made, "digest": np.array(digest)})
    return _advice(features, folders, model, guesses, named, min_confidence)


def _advice(
    features: Features,
    folders: Sequence[str],
    model: FolderModel,
    guesses: Guesses,
    named: NameGuesses,
    min_confidence: float,
) -> Advice:
    """Put what is known into words."""
    suggestions = _without_collector(
        lambda: tuple(_suggestions(features, folders, model, guesses, named, min_confidence))
    )
    tried = _accuracy(model.probability(model.margin) >= min_confidence, model.right)
    by_name = _accuracy_by_name(features, folders, named, min_confidence) if len(named) else None
    return Advice(suggestions, min_confidence, tried, by_name, features.remark(model.changes))


def _suggestions(
    features: Features,
    folders: Sequence[str],
    model: FolderModel,
    guesses: Guesses,
    named: NameGuesses,
    min_confidence: float,
) -> Iterator[Suggestion]:
    new = _new(features, folders)
    likely = _likely(features, model, guesses)
    for row, ranked in zip(guesses.rows.tolist(), likely, strict=True):
        first, *others = ranked or (Likely("", 0.0),)
        guess, confidence, by, near = (
            first.folder or None,
            first.probability,
            "neighbours",
            first.neighbours,
        )
        if len(named) and named.confidence[row] > confidence:
            name = folders[named.winner[row]]
            if name in new:
                guess, confidence, by, near = name, float(named.confidence[row]), "name", ()
        yield Suggestion(
            features.source.paths[row],
            features.source.hashes[row],
            guess if confidence >= min_confidence else None,
            guess,
            confidence,
            by,
            near,
            tuple(others),
        )


def _without_collector(make: Callable[[], T]) -> T:
    """Make many objects without Python's search for cycles, which takes as long again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return make()
    finally:
        if was_on:
            gc.enable()


def _likely(features: Features, model: FolderModel, guesses: Guesses) -> Iterator[list[Likely]]:
    """Yield the likeliest folders of each row, likeliest first.

    Those of 30,000 rows have 240,000 neighbours, and a look at each array takes as long as ten.
    """
    names, paths, labels = model.clips.names, features.source.paths, features.source.labels
    arrays = (guesses.folders, guesses.probability, guesses.near, guesses.scores)
    for each in zip(*(array.tolist() for array in arrays), strict=True):
        yield [
            Likely(
                names[folder],
                probability,
                tuple(
                    Neighbour(paths[row], labels[row] or "", score)
                    for row, score in zip(near, scores, strict=True)
                    if row >= 0
                ),
            )
            for folder, probability, near, scores in zip(*each, strict=True)
            if folder >= 0
        ]


def _new(features: Features, folders: Sequence[str]) -> set[str]:
    """Return the folders with few videos, which are also known by their names."""
    counts = Counter(features.source.labels)
    return {name for name in folders if counts[name] < FEW_VIDEOS}


def _accuracy_by_name(
    features: Features, folders: Sequence[str], named: NameGuesses, min_confidence: float
) -> Accuracy:
    labels = features.source.labels
    known = np.flatnonzero([label is not None for label in labels])
    right = np.array([folders[named.winner[row]] == labels[row] for row in known], bool)
    return _accuracy(named.confidence[known] >= min_confidence, right)


def _accuracy(answered: np.ndarray, right: np.ndarray) -> Accuracy:
    return Accuracy(len(right), int(answered.sum()), int((answered & right).sum()))
