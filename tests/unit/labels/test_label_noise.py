"""Wrong labels are found as far as the scores can tell, and no label is blamed for bad scores."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labels.judgement import MIN_CONFIDENCE
from pipeline.labels.label_noise import LabelNoise

FOLDERS = 5


def wrong_label_probability(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return LabelNoise.fit(scores, labels).wrong(scores, labels)


def drawn(seed: int, n: int, distance: float, share: float) -> tuple[np.ndarray, ...]:
    """Scores of normal classes that are `distance` apart, labels, and which of them are wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(FOLDERS, size=n)
    values = rng.standard_normal((n, FOLDERS))
    values[np.arange(n), truth] += distance
    wrong = rng.random(n) < share
    labels = np.where(wrong, (truth + rng.integers(1, FOLDERS, size=n)) % FOLDERS, truth)
    return 7 * distance * values, labels, wrong  # log-likelihoods in an unknown scale


@pytest.mark.parametrize("distance", [2.0, 4.0])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.25])
def test_the_probability_is_the_share_of_wrong_labels(distance: float, share: float) -> None:
    scores, labels, wrong = drawn(1, 10_000, distance, share)
    found = wrong_label_probability(scores, labels)
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        part = (low <= found) & (found < high)
        if part.sum() >= 100:  # a standard error of 0.05; slopes on the grid are 22% apart
            assert wrong[part].mean() == pytest.approx(found[part].mean(), abs=0.1)
    assert (found >= 0.5)[wrong].mean() >= (0.95 if distance == 4 else 0.3)


@pytest.mark.parametrize(("n", "draws"), [(10, 20), (25, 16), (100, 6), (1000, 2)])
def test_scores_that_say_nothing_blame_hardly_any_label(n: int, draws: int) -> None:
    blamed = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        scores, labels = rng.standard_normal((n, FOLDERS)), rng.integers(FOLDERS, size=n)
        blamed.append((wrong_label_probability(scores, labels) >= MIN_CONFIDENCE).mean())
    # Four labels in five are not the winner's; few labels agree with their scores by chance.
    assert np.mean(blamed) <= 0.02


def test_folders_that_are_not_known_do_not_count() -> None:
    scores, labels, _ = drawn(2, 60, 4.0, 0.1)
    more = np.column_stack([scores, np.full(60, -np.inf)])
    found = wrong_label_probability(scores, labels)
    np.testing.assert_allclose(wrong_label_probability(more, labels), found, rtol=1e-6)


def test_scores_without_any_difference_are_no_evidence() -> None:
    found = wrong_label_probability(np.zeros((6, 3)), np.array([0, 0, 1, 1, 2, 2]))
    assert 0 < found.max() < 0.4
