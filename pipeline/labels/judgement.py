"""Which labels are probably wrong: judged together, and then followed as videos come and move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pipeline.labels.classifier import Clips, LabeledClips, Predictions, ShrunkLda
from pipeline.labels.cross_validation import CrossValidation
from pipeline.labels.features import Features, most_changes
from pipeline.labels.folder_model import LearnedClips
from pipeline.labels.keys import changes_of, clip_keys, places_of
from pipeline.labels.label_noise import LabelNoise

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

MIN_CONFIDENCE = 0.4
"""Least probability that a label is wrong. It is below one half because a look at a video that is
in its place after all costs less than a video that stays in the wrong folder."""

ROUNDS = 8

SUBJECT = "judgement"


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is thought of the labels of `n` clips, and what that rests on.

    Args:
        keys: bytes `[n]`, of the clips.
        confidence: float64 `[n]` probability that the label is wrong.
        winner: int64 `[n]` the likeliest folder, an index into the names of `learned`; -1 for none.
        learned: the clips that others are judged by.
        noise: how far scores are to be trusted; None where no clip could be judged.
        changes: clips that came or went since all were judged together.
    """

    keys: np.ndarray
    confidence: np.ndarray
    winner: np.ndarray
    learned: LearnedClips
    noise: LabelNoise | None
    changes: int = 0

    @classmethod
    def make(cls, features: Features) -> Self:
        """Judge all labeled clips together."""
        clips = features.clips
        confidence, predictions, noise = find_misplaced(features.labeled(clips))
        learned = LearnedClips.of(
            features, clips.select(~(clips.ambiguous | (confidence >= MIN_CONFIDENCE)))
        )
        return cls(clip_keys(features, clips), confidence, predictions.winner, learned, noise)

    def updated(self, features: Features) -> Self | None:
        """Judge the clips that came by what was learned of others.

        Returns:
            None where all have to be judged again.
        """
        clips = features.clips
        keys = clip_keys(features, clips)
        changes = self.changes + changes_of(keys, self.keys)
        if self.noise is None or changes > most_changes(len(self.keys)):
            return None
        stays = places_of(keys, self.learned.keys) >= 0
        learned = self.learned.updated(features, clips.select(stays))
        if learned is None:
            return None
        known = places_of(keys, self.keys)
        number = [learned.names.index(name) for name in self.learned.names]
        winner = np.array([*number, -1])[np.append(self.winner, -1)[known]]
        confidence = np.append(self.confidence, 0.0)[known]
        came = known < 0
        if came.any():
            new = clips.select(came)
            place = np.array([learned.names.index(name) for name in clips.names], np.int64)
            found = ShrunkLda(learned.moments).predict(features.reduced(new.rows))
            labels = place[new.labels]
            some = _judged(clips)[came] & _comparable(found, labels)
            wrong = np.zeros(len(new))
            wrong[some] = self.noise.wrong(found.scores[some], labels[some])
            wrong[found.winner == labels] = 0
            confidence[came], winner[came] = wrong, found.winner
        return replace(
            self, keys=keys, confidence=confidence, winner=winner, learned=learned, changes=changes
        )

    def of(self, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
        """Return confidence, float64 `[n]`, and likeliest folder, int64 `[n]`, of the same clips.

        Folders are indices into the names of `clips`; one that is no more counts as none.
        """
        place = {name: number for number, name in enumerate(clips.names)}
        winner = np.array([*(place.get(name, -1) for name in self.learned.names), -1])[self.winner]
        return np.where(_judged(clips) & (winner >= 0), self.confidence, 0.0), winner

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        noise = self.noise or LabelNoise(np.empty(0), np.empty((0, 0)))
        return {
            **self.learned.to_arrays(),
            "judged": self.keys,
            "confidence": self.confidence,
            "winner": self.winner,
            "slopes": noise.slopes,
            "weights": noise.weights,
            "changes": np.array(self.changes),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        keys, confidence, winner = (arrays[name] for name in ("judged", "confidence", "winner"))
        noise = LabelNoise(arrays["slopes"], arrays["weights"]) if len(arrays["slopes"]) else None
        learned, changes = LearnedClips.from_arrays(arrays), int(arrays["changes"])
        return cls(keys, confidence, winner, learned, noise, changes)


def find_misplaced(clips: LabeledClips) -> tuple[np.ndarray, Predictions, LabelNoise | None]:
    """Measure how probable it is that each clip is in the wrong folder.

    1. Predict every clip by a classifier that has seen neither the clip and its copies, nor
       ambiguous clips, nor the clips that are set aside.
    2. Estimate from all these predictions together how probable it is that each label is wrong;
       the largest probability of all rounds so far counts, and none while the own folder wins.
    3. Set aside the clips whose label is wrong with a probability of at least MIN_CONFIDENCE, since
       misplaced clips blur the folders they are in.
    4. Repeat until the same clips are set aside, at most ROUNDS times.

    Clips of small folders are not judged, nor are clips in several folders: a copy is no evidence
    for or against its twin.

    Returns:
        The probabilities, float64 `[n]`; the predictions of the last round; and how far those are
        to be trusted, None where no clip could be judged.
    """
    confidence, aside, noise = np.zeros(len(clips)), np.zeros(len(clips), bool), None
    validation = CrossValidation(clips, clips.groups)
    for _ in range(ROUNDS):
        predictions = validation.predict(aside | clips.ambiguous)
        known = _judged(clips) & _comparable(predictions, clips.labels)
        if not known.any():
            break
        scores, labels = predictions.scores[known], clips.labels[known]
        noise = LabelNoise.fit(scores, labels)
        confidence[known] = np.maximum(confidence[known], noise.wrong(scores, labels))
        confidence[~known | (predictions.winner == clips.labels)] = 0
        before, aside = aside, confidence >= MIN_CONFIDENCE
        if (before == aside).all():
            break
    return confidence, predictions, noise


def _judged(clips: Clips) -> np.ndarray:
    """Tell which clips are judged at all, bool `[n]`."""
    there: np.ndarray = ~clips.ambiguous & (clips.counts[clips.labels] >= FEW_CLIPS)
    return there


def _comparable(predictions: Predictions, labels: np.ndarray) -> np.ndarray:
    """Tell where a clip's own folder and another one are known, bool `[n]`."""
    own = predictions.scores[np.arange(len(labels)), labels]
    both: np.ndarray = np.isfinite(own) & np.isfinite(predictions.margin)
    return both
