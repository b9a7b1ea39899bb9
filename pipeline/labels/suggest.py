"""Suggest a folder for each unlabeled video, or none where the evidence is too weak.

The evidence is the labeled videos, or the name of a folder with too few of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from pipeline.labels.advice import Accuracy, Advice, Suggestions
from pipeline.labels.features import Features, with_features
from pipeline.labels.folder_model import SUBJECT as MODEL
from pipeline.labels.folder_model import FolderModel
from pipeline.labels.folder_names import EncodeTexts
from pipeline.labels.guesses import Guesses, NameGuesses
from pipeline.labels.witnesses import Witnesses
from store.analysis.kept import Kept
from store.analysis.vectors import Rows, read_present

if TYPE_CHECKING:
    from pipeline.project import Project
    from store.analysis.vectors import Vectors

FEW_VIDEOS = 3
"""A folder with fewer labeled videos is also matched by its name."""

_SUBJECT = "suggestions"


@dataclass(frozen=True, eq=False)
class Answer:
    """What advice at any confidence follows from.

    Args:
        rows: of the collection.
        folders: names of all folders, empty ones included, in order.
        guesses: folders by the labeled videos.
        named: folders by their names.
        tried: float64 `[m]` confidence of the guess for each labeled clip, as if it had no label.
        right: bool `[m]`, whether that is its folder.
        remark: in what the answer may differ from a whole new one; None where it does not.
    """

    rows: Rows
    folders: Sequence[str]
    guesses: Guesses
    named: NameGuesses
    tried: np.ndarray
    right: np.ndarray
    remark: str | None

    def advice(self, min_confidence: float) -> Advice:
        """Suggest what is at least so probable."""
        tried = _accuracy(self.tried >= min_confidence, self.right)
        by_name = self._accuracy_by_name(min_confidence) if len(self.named) else None
        return Advice(self._suggestions(min_confidence), tried, by_name, self.remark)

    def _suggestions(self, min_confidence: float) -> Suggestions:
        """Take the name of a new folder where that fits better than the labeled videos."""
        rows, confidence = self.guesses.rows, self.guesses.probability[:, 0].copy()
        names = np.full(len(rows), "", object)
        if len(self.named):
            new = new_folders(self.rows, self.folders)
            is_new = np.array([name in new for name in self.folders], bool)
            winner, sure = self.named.winner[rows], self.named.confidence[rows]
            by_name = (sure > confidence) & is_new[winner]
            names[by_name] = np.array(self.folders, object)[winner[by_name]]
            confidence[by_name] = sure[by_name]
        return Suggestions(self.rows, self.guesses, names.tolist(), confidence, min_confidence)

    def _accuracy_by_name(self, min_confidence: float) -> Accuracy:
        labels, winner = self.rows.labels, self.named.winner.tolist()
        known = np.flatnonzero([label is not None for label in labels])
        right = np.array([self.folders[winner[row]] == labels[row] for row in known], bool)
        return _accuracy(self.named.confidence[known] >= min_confidence, right)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep; rows and folders are known by their digest."""
        return {
            **self.guesses.to_arrays(),
            **self.named.to_arrays(),
            "tried": self.tried,
            "right": self.right,
            "remark": np.array(self.remark or ""),
            "digest": np.array(self.rows.digest(*self.folders)),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], rows: Rows, folders: Sequence[str]
    ) -> Self | None:
        """Read what `to_arrays` gave; None where it is of other rows or folders."""
        if str(arrays["digest"]) != rows.digest(*folders):
            return None
        found = Guesses.from_arrays(arrays), NameGuesses.from_arrays(arrays)
        remark = str(arrays["remark"]) or None
        return cls(rows, folders, *found, arrays["tried"], arrays["right"], remark)


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

    def folders_of(rows: Rows) -> list[str]:
        return sorted(on_disk | {label for label in rows.labels if label is not None})

    def learn(features: Features) -> Answer:
        model = _followed(features, kept)
        kept.save(MODEL, model.to_arrays())
        named = NameGuesses.from_arrays(arrays) if arrays else NameGuesses.none()
        before = Witnesses.from_arrays(arrays) if arrays else None
        made = _answer(features, folders_of(features.source), load_encoder, model, named, before)
        kept.save(_SUBJECT, made.to_arrays())
        return made

    kept = Kept(project.store, project.recipe)
    on_disk = project.folders()
    rows = read_present(project.store, project.recipe)
    arrays = kept.load(_SUBJECT)
    answer = Answer.from_arrays(arrays, rows, folders_of(rows)) if arrays else None
    if answer is None:
        answer = with_features(project.store, project.recipe, rows, learn)
    return answer.advice(min_confidence)


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
    features = Features.of(vectors)
    model = FolderModel.learn(features)
    answer = _answer(features, folders, load_encoder, model, NameGuesses.none())
    return answer.advice(min_confidence)


def new_folders(rows: Rows, folders: Sequence[str]) -> set[str]:
    """Return the folders with few videos, which are also known by their names."""
    counts = Counter(rows.labels)
    return {name for name in folders if counts[name] < FEW_VIDEOS}


def _followed(features: Features, kept: Kept) -> FolderModel:
    """Return the model that was kept, with what changed since; a new one where it cannot follow."""
    arrays = kept.load(MODEL)
    before = FolderModel.from_arrays(arrays).updated(features) if arrays else None
    return before or FolderModel.learn(features)


def _answer(
    features: Features,
    folders: Sequence[str],
    load_encoder: Callable[[], EncodeTexts],
    model: FolderModel,
    named: NameGuesses,
    before: Witnesses | None = None,
) -> Answer:
    rows = features.source
    unlabeled = np.flatnonzero([label is None for label in rows.labels])
    guesses = Guesses.make(features, model, unlabeled, before)
    is_named = len(folders) > 1 and len(unlabeled) > 0 and bool(new_folders(rows, folders))
    named = named.made(features, folders, load_encoder) if is_named else named.without_rows()
    tried, remark = model.probability(model.margin), features.remark(model.changes)
    return Answer(rows, folders, guesses, named, tried, model.right, remark)


def _accuracy(answered: np.ndarray, right: np.ndarray) -> Accuracy:
    return Accuracy(len(right), int(answered.sum()), int((answered & right).sum()))
