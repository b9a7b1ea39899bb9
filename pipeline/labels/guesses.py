"""The likely folders of unlabeled videos, as arrays: what `suggest` keeps between two questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pipeline.labels.confidence import PlattScaling
from pipeline.labels.features import SHOWN_NEIGHBOURS, Features, neighbours
from pipeline.labels.folder_model import FolderModel
from pipeline.labels.folder_names import EncodeTexts, encode_names, match_names
from store.threads import on_all_cores

FOLDERS = 3
"""Folders that are named of each video."""


@dataclass(frozen=True, eq=False)
class Guesses:
    """The likeliest folders of `q` rows by the labeled videos.

    Args:
        names: folder names.
        rows: int64 `[q]`.
        folders: int64 `[q, FOLDERS]` indices into `names`, likeliest first; -1 for none.
        probability: float64 `[q, FOLDERS]` that the row belongs there.
        near: int64 `[q, FOLDERS, SHOWN_NEIGHBOURS]` nearest rows of each folder; -1 for none.
        scores: float32, of those.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    folders: np.ndarray
    probability: np.ndarray
    near: np.ndarray
    scores: np.ndarray

    @classmethod
    def make(cls, features: Features, model: FolderModel, rows: np.ndarray) -> Self:
        """Guess the folders of rows, int64 `[q]`."""
        asked = features.centred(rows)
        folders, probability = _classified(features, model, rows, asked)
        near = np.full((*folders.shape, SHOWN_NEIGHBOURS), -1, np.int64)
        scores = np.zeros(near.shape, np.float32)
        clips = features.clips()
        clips = clips.select(~clips.ambiguous)
        points = features.centred(clips.rows)

        def find(number: int) -> None:
            likely = folders == model.clips.names.index(clips.names[number])
            there, some = likely.any(axis=1), clips.labels == number
            found = neighbours(asked[there], points[some], clips.rows[some])
            near[likely], scores[likely] = found  # a row has a folder once

        on_all_cores(find, range(len(clips.names)))
        return cls(model.clips.names, rows, folders, probability, near, scores)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        arrays = {f"guess_{name}": getattr(self, name) for name in self.__dataclass_fields__}
        return {**arrays, "guess_names": np.array(self.names, np.str_)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        _, *columns = (arrays[f"guess_{name}"] for name in cls.__dataclass_fields__)
        return cls(tuple(arrays["guess_names"].tolist()), *columns)


@dataclass(frozen=True, eq=False)
class NameGuesses:
    """The folder of each row by its name alone, and the names in CLIP's space.

    Args:
        winner: int64 `[n]` index of the likeliest of all folders; empty where none was matched.
        confidence: float64 `[n]` probability that it is right.
        names: folder names whose texts are known.
        texts: float32 `[names, d]` of those.
    """

    winner: np.ndarray
    confidence: np.ndarray
    names: tuple[str, ...]
    texts: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Know nothing."""
        return cls(np.empty(0, np.int64), np.empty(0), (), np.empty((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.winner)

    def without_rows(self) -> Self:
        """Keep the texts alone."""
        return replace(self, winner=np.empty(0, np.int64), confidence=np.empty(0))

    def made(
        self,
        features: Features,
        folders: Sequence[str],
        load_encoder: Callable[[], EncodeTexts],
    ) -> Self:
        """Match every row with the names of all folders.

        Args:
            features: rows.
            folders: at least two names.
            load_encoder: loads CLIP's text encoder; called only for a name that is not known.
        """
        known = self._knowing(folders, load_encoder)
        texts = known.texts[[known.names.index(name) for name in folders]]
        matches = match_names(features.embeddings(np.arange(len(features.content))), texts)
        labels = features.source.labels
        labeled = np.flatnonzero([label is not None for label in labels])
        right = np.array([folders[matches.winner[row]] == labels[row] for row in labeled], bool)
        line = PlattScaling.fit(matches.margin[labeled], right, np.ones(len(labeled)))
        return replace(known, winner=matches.winner, confidence=line(matches.margin))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {
            "name_winner": self.winner,
            "name_confidence": self.confidence,
            "name_names": np.array(self.names, np.str_),
            "name_texts": self.texts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        names = tuple(arrays["name_names"].tolist())
        return cls(arrays["name_winner"], arrays["name_confidence"], names, arrays["name_texts"])

    def _knowing(self, folders: Sequence[str], load_encoder: Callable[[], EncodeTexts]) -> Self:
        missing = [name for name in folders if name not in self.names]
        if not missing:
            return self
        texts = encode_names(missing, load_encoder())
        known = np.concatenate([self.texts.reshape(-1, texts.shape[1]), texts])
        return replace(self, names=(*self.names, *missing), texts=known)


def _classified(
    features: Features, model: FolderModel, rows: np.ndarray, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest folders of rows and their probabilities, both `[q, FOLDERS]`.

    Args:
        features: of the collection.
        model: classifier.
        rows: int64 `[q]`.
        asked: float32 `[q, 2d]`, their centred vectors.
    """
    folders = np.full((len(rows), FOLDERS), -1, np.int64)
    probability = np.zeros((len(rows), FOLDERS))
    if not model.clips.keys or not len(rows):
        return folders, probability
    found = model.lda.predict(features.space.reduce(asked))
    best = np.argsort(-found.scores, axis=1, kind="stable")[:, :FOLDERS]
    scores = np.take_along_axis(found.scores, best, axis=1)
    folders[:, : best.shape[1]] = np.where(np.isfinite(scores), best, -1)
    probability[:, : best.shape[1]] = model.probability.of_ranked(scores)
    known = np.full(int(features.groups.max(initial=0)) + 1, -1)
    clips = features.clips()
    clips = clips.select(~clips.ambiguous)
    place = np.array([model.clips.names.index(name) for name in clips.names], np.int64)
    known[clips.groups] = place[clips.labels]
    copied = known[features.groups[rows]]  # a person has put a copy of this clip there
    is_copy = copied >= 0
    folders[is_copy, 0], folders[is_copy, 1:] = copied[is_copy], -1
    probability[is_copy, 0], probability[is_copy, 1:] = 1.0, 0.0
    return folders, probability
