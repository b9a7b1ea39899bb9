"""A match is measured against the collection: neither the size nor the zero of cosines counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.arrays import unit_length
from store.retrieval.calibration import SampledHalf, from_pairs, from_questions, percent, unrelated
from store.retrieval.moments import MultiVectors

SCALES, SHIFTS = st.floats(0.02, 1.0), st.floats(-0.3, 0.8)


@given(SCALES, SHIFTS, st.integers(0, 2**16))
def test_scaled_and_shifted_scores_give_the_same_match(
    scale: float, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    best, pairs, own = (rng.normal(0.2, 0.1, n) for n in (40, 300, 30))
    hits = rng.normal(0.5, 0.2, 10)

    def matches(scale: float, shift: float) -> list[float]:
        def moved(scores: np.ndarray) -> np.ndarray:
            return scores * scale + shift

        usual = (
            from_questions(moved(best)),
            from_pairs(unrelated(moved(pairs)), moved(own), count=1000),
        )
        return [percent(float(s)) for each in usual for s in each.strength(moved(hits))]

    assert matches(scale, shift) == pytest.approx(matches(1, 0), abs=1e-6)


def squeezed(vectors: np.ndarray, share: float, common: int) -> np.ndarray:
    """Unit vectors whose cosines among each other are `share` of before, above `1 - share`.

    Args:
        vectors: float `[n, d]`.
        share: of what stays of each vector.
        common: place beyond `d` of what they have in common; those of other places differ there.
    """
    beside = np.zeros((len(vectors), 2))
    beside[:, common] = np.sqrt(1 - share)
    return np.hstack([vectors * np.sqrt(share), beside]).astype(np.float32)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_texts_far_from_all_pictures_match_as_well_as_near_ones(share: float) -> None:
    """SigLIP's cosines of a text and its picture are about 0.1, those of others about 0."""
    rng = np.random.default_rng(3)
    pictures, questions = (unit_length(rng.normal(size=(n, 64))) for n in (60, 40))
    texts = unit_length(pictures[:6] + 0.1 * rng.normal(size=(6, 64)))

    def matches(pictures: np.ndarray, questions: np.ndarray, texts: np.ndarray) -> list[float]:
        half = SampledHalf(
            pictures, MultiVectors(pictures, np.ones(len(pictures), np.int64)), len(pictures)
        )
        usual = half.for_questions(questions)
        assert usual is not None
        return [percent(float(s)) for s in usual.strength((texts @ pictures.T).max(axis=1))]

    plain = matches(*(each.astype(np.float32) for each in (pictures, questions, texts)))
    small = matches(
        squeezed(pictures, share, 0), squeezed(questions, share, 1), squeezed(texts, share, 1)
    )
    assert np.max(squeezed(texts, share, 1) @ squeezed(pictures, share, 0).T) < 0.25
    assert min(plain) > 95
    assert small == pytest.approx(plain, abs=0.01)
