"""Which labels are probably wrong: judged together, and then followed as videos come and move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pipeline.labels.classifier import Clips, CrossValidation, LabeledClips, Predictions, ShrunkLda
from pipeline.labels.features import Features, most_changes
from pipeline.labels.folder_model import Key, LearnedClips, keys_of
from pipeline.labels.label_noise import LabelNoise

FEW_CLIPS = 3
"""A folder of fewer different clips has nothing to validate with, and hardly neighbours."""

MIN_CONFIDENCE = 0.4
"""Least probability that a label is wrong. It is below one half because a look at a video that is
in its place after all costs less than a video that stays in the wrong folder."""

ROUNDS = 8

SUBJECT = "judgement"


@dataclass(frozen=True)
class Verdict:
    """What is thought of a clip's label.

    Args:
        confidence: probability that it is wrong, 0 to 1.
        winner: the likeliest folder; None where nothing is known.
    """

    confidence: float
    winner: str | None


@dataclass(frozen=True, eq=False)
class Judgement:
    """Verdicts on all labeled clips, and what they rest on.

    Args:
        verdicts: by clip.
        learned: the clips that others are judged by.
        noise: how far scores are to be trusted; None where no clip could be judged.
        changes: clips that came or went since all were judged together.
    """

    verdicts: Mapping[Key, Verdict]
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
        verdicts = _verdicts(confidence, predictions.winner, clips.names)
        keys = keys_of(features, clips)
        return cls(dict(zip(keys, verdicts, strict=True)), learned, noise)

    def updated(self, features: Features) -> Self | None:
        """Judge the clips that came by what was learned of others.

        Returns:
            None where all have to be judged again.
        """
        clips = features.clips
        keys = keys_of(features, clips)
        changes = self.changes + len(self.verdicts.keys() ^ set(keys))
        if self.learned.space != features.space.identity or changes > most_changes(
            len(self.verdicts)
        ):
            return None
        stays = np.array([key in self.learned.keys for key in keys], bool)
        learned = self.learned.updated(features, clips.select(stays))
        if learned is None or self.noise is None:
            return None
        came = np.array([key not in self.verdicts for key in keys], bool)
        verdicts = {key: self.verdicts[key] for key in keys if key in self.verdicts}
        if came.any():
            new = clips.select(came)
            place = np.array([learned.names.index(name) for name in clips.names], np.int64)
            found = ShrunkLda(learned.moments).predict(features.reduced(new.rows))
            labels = place[new.labels]
            known = _judged(clips)[came] & _comparable(found, labels)
            confidence = np.zeros(len(new))
            confidence[known] = self.noise.wrong(found.scores[known], labels[known])
            confidence[found.winner == labels] = 0
            judged = _verdicts(confidence, found.winner, learned.names)
            verdicts |= zip(keys_of(features, new), judged, strict=True)
        return replace(self, verdicts=verdicts, learned=learned, changes=changes)

    def of(self, features: Features, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
        """Return the confidence, float64 `[n]`, and the likeliest folder, int64 `[n]`, of clips."""
        place = {name: number for number, name in enumerate(clips.names)}
        found = [self.verdicts[key] for key in keys_of(features, clips)]
        confidence = np.array([each.confidence for each in found], np.float64)
        winner = np.array([place.get(each.winner or "", -1) for each in found], np.int64)
        confidence[~_judged(clips) | (winner < 0)] = 0
        return confidence, winner

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays to keep."""
        noise = self.noise or LabelNoise(np.empty(0), np.empty((0, 0)))
        return {
            **self.learned.to_arrays(),
            "judged_hashes": np.array([content for content, _ in self.verdicts], np.bytes_),
            "judged_folders": np.array([folder for _, folder in self.verdicts], np.str_),
            "confidence": np.array([each.confidence for each in self.verdicts.values()]),
            "winner": np.array([each.winner or "" for each in self.verdicts.values()], np.str_),
            "slopes": noise.slopes,
            "weights": noise.weights,
            "changes": np.array(self.changes),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_arrays` gave."""
        hashes = arrays["judged_hashes"].astype(np.str_).tolist()
        keys = zip(hashes, arrays["judged_folders"].tolist(), strict=True)
        found = zip(arrays["confidence"].tolist(), arrays["winner"].tolist(), strict=True)
        verdicts = [Verdict(confidence, winner or None) for confidence, winner in found]
        noise = LabelNoise(arrays["slopes"], arrays["weights"]) if len(arrays["slopes"]) else None
        learned = LearnedClips.from_arrays(arrays)
        by_key = dict(zip(keys, verdicts, strict=True))
        return cls(by_key, learned, noise, int(arrays["changes"]))


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


def _verdicts(confidence: np.ndarray, winner: np.ndarray, names: tuple[str, ...]) -> list[Verdict]:
    found = zip(confidence.tolist(), winner.tolist(), strict=True)
    return [Verdict(each, names[best] if best >= 0 else None) for each, best in found]
