"""The likely folders of unlabeled videos, as arrays: what `suggest` keeps between two questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from pipeline.labels.confidence import PlattScaling
from pipeline.labels.features import Features
from pipeline.labels.folder_model import FolderModel
from pipeline.labels.folder_names import EncodeTexts, encode_names, match_names
from pipeline.labels.witnesses import NEAREST, Witnesses
from store.threads import on_all_cores

FOLDERS = 3
"""Folders that are named of each video."""

_BLOCK_ROWS = 2_048  # classified at a time


@dataclass(frozen=True, eq=False)
class Guesses:
    """The likeliest folders of `q` rows by the labeled videos.

    Args:
        names: folder names.
        rows: int64 `[q]`.
        folders: int64 `[q, FOLDERS]` indices into `names`, likeliest first; -1 for none.
        probability: float64 `[q, FOLDERS]` that the row belongs there.
        witnesses: the nearest labeled videos, of FOLDERS pairs a row.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    folders: np.ndarray
    probability: np.ndarray
    witnesses: Witnesses

    @classmethod
    def make(
        cls,
        features: Features,
        model: FolderModel,
        rows: np.ndarray,
        before: Witnesses | None = None,
    ) -> Self:
        """Guess the folders of rows.

        Args:
            features: of the collection.
            model: classifier.
            rows: int64 `[q]`.
            before: witnesses of the last guesses.
        """
        folders, probability = _classified(features, model, rows)
        clips, names = features.clips_of_one_folder, model.clips.names
        number = {name: each for each, name in enumerate(clips.names)}
        there = np.array([*(number.get(name, -1) for name in names), -1], np.int64)[folders.ravel()]
        witnesses = Witnesses.find(features, clips, np.repeat(rows, FOLDERS), there, before)
        return cls(names, rows, folders, probability, witnesses)

    @cached_property
    def near(self) -> np.ndarray:
        """int64 `[q, FOLDERS, NEAREST]`: nearest rows of each folder; -1 for none."""
        return self.witnesses.near_rows.reshape(-1, FOLDERS, NEAREST)

    @cached_property
    def scores(self) -> np.ndarray:
        """float32, of those."""
        return self.witnesses.scores.reshape(-1, FOLDERS, NEAREST)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        return {
            "guess_names": np.array(self.names, np.str_),
            "guess_rows": self.rows,
            "guess_folders": self.folders,
            "guess_probability": self.probability,
            **self.witnesses.to_arrays(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        names, rows, folders, probability = (
            arrays[f"guess_{name}"] for name in ("names", "rows", "folders", "probability")
        )
        witnesses = Witnesses.from_arrays(arrays)
        return cls(tuple(names.tolist()), rows, folders, probability, witnesses)


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
    features: Features, model: FolderModel, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest folders of rows and their probabilities, both `[q, FOLDERS]`."""
    folders = np.full((len(rows), FOLDERS), -1, np.int64)
    probability = np.zeros((len(rows), FOLDERS))
    if not len(model.clips.keys) or not len(rows):
        return folders, probability
    lda = model.lda

    def classify(start: int) -> None:
        part = slice(start, start + _BLOCK_ROWS)
        found = lda.scores(features.reduced(rows[part]))
        best = np.argsort(-found, axis=1, kind="stable")[:, :FOLDERS]
        scores = np.take_along_axis(found, best, axis=1)
        folders[part, : best.shape[1]] = np.where(np.isfinite(scores), best, -1)
        probability[part, : best.shape[1]] = model.probability.of_ranked(scores)

    on_all_cores(classify, range(0, len(rows), _BLOCK_ROWS))
    known = np.full(int(features.groups.max(initial=0)) + 1, -1)
    clips = features.clips_of_one_folder
    place = np.array([model.clips.names.index(name) for name in clips.names], np.int64)
    known[clips.groups] = place[clips.labels]
    copied = known[features.groups[rows]]  # a person has put a copy of this clip there
    is_copy = copied >= 0
    folders[is_copy, 0], folders[is_copy, 1:] = copied[is_copy], -1
    probability[is_copy, 0], probability[is_copy, 1:] = 1.0, 0.0
    return folders, probability
