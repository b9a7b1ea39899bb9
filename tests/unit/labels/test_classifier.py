"""The classifier agrees with scikit-learn's, and never sees what it is tried on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labels import cross_validation
from pipeline.labels.classifier import SHRINKAGE, LabeledClips, Moments, Predictions, ShrunkLda
from pipeline.labels.cross_validation import CrossValidation, leave_one_folder_out, leave_one_out
from tests.support.late import late

sklearn = late("sklearn.discriminant_analysis")

FOLDERS = 4


def drawn(seed: int, clips: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around a centre for each folder, folders of different sizes."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(FOLDERS), rng.integers(FOLDERS, size=clips - FOLDERS)])
    centres = rng.standard_normal((FOLDERS, width))
    return centres[labels] + rng.standard_normal((clips, width)), labels.astype(np.int64)


@pytest.mark.parametrize("solver", ["lsqr", "eigen"])
@pytest.mark.parametrize(("clips", "width"), [(40, 6), (30, 64)])
def test_it_is_the_discriminant_of_scikit_learn(solver: str, clips: int, width: int) -> None:
    vectors, labels = drawn(1, clips, width)
    queries, _ = drawn(2, 50, width)
    found = ShrunkLda(Moments.of(vectors, labels, FOLDERS)).predict(queries)
    theirs = sklearn.LinearDiscriminantAnalysis(solver=solver, shrinkage=SHRINKAGE).fit(
        vectors, labels
    )
    # Ours has equal priors, and divides the covariance by n - folders where theirs divides by n.
    scores = theirs.decision_function(queries) - np.log(theirs.priors_)
    scores *= (clips - FOLDERS) / clips
    np.testing.assert_array_equal(found.winner, scores.argmax(axis=1))
    # Both are float64, the shrunk covariance is well conditioned; a constant a query is free.
    ours = found.scores - found.scores.max(axis=1, keepdims=True)
    np.testing.assert_allclose(ours, scores - scores.max(axis=1, keepdims=True), atol=1e-8)


def test_nothing_is_predicted_from_itself_its_copy_or_its_own_folder() -> None:
    vectors, labels = drawn(3, 24, 5)
    groups = np.arange(24) // 2  # in pairs of copies, some of them in two folders
    clips = LabeledClips(labels, groups, np.arange(24), tuple("abcd"), vectors)
    tried, novel = leave_one_out(clips), leave_one_folder_out(clips)
    for each in range(24):
        rest = groups != groups[each]
        alone = ShrunkLda(Moments.of(vectors[rest], labels[rest], FOLDERS)).predict(vectors[[each]])
        np.testing.assert_allclose(tried.scores[each], alone.scores[0], rtol=1e-9)
    assert (novel.winner != labels).all()


@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(FOLDERS, 40),
    folds=st.sampled_from([5, cross_validation.FOLDS]),
    width=st.integers(1, 40),
    copies=st.integers(1, 3),
    aside=st.floats(0, 0.9),
    shift=st.sampled_from([0.0, 3.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_what_is_taken_out_of_the_sums_was_never_in_them(
    seed: int,
    clips: int,
    folds: int,
    width: int,
    copies: int,
    aside: float,
    shift: float,
    dtype: type,
) -> None:
    vectors, labels = drawn(seed, clips, width)
    vectors = (vectors + shift).astype(dtype)
    groups = np.arange(clips) // copies
    is_aside = np.random.default_rng(seed).random(clips) < aside
    made = LabeledClips(labels, groups, np.arange(clips), tuple("abcd"), vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_validation, "FOLDS", folds)
        validation = CrossValidation(made, groups)
    validation.predict()  # leaves no trace
    found = validation.predict(is_aside).scores
    for places, _ in validation._parts:
        rest = ~is_aside
        rest[places] = False
        if not rest.any():
            assert np.isneginf(found[places]).all()
            continue
        plain = plain_lda(vectors[rest].astype(np.float64), labels[rest], vectors[places])
        np.testing.assert_allclose(found[places], plain, rtol=1e-6, atol=1e-6)


def plain_lda(vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores by the formula, from the vectors themselves."""
    present, which = np.unique(labels, return_inverse=True)
    means = np.stack([vectors[which == each].mean(axis=0) for each in range(len(present))])
    within = vectors - means[which]
    covariance = within.T @ within / max(len(vectors) - len(present), 1)
    width = len(covariance)
    level = np.trace(covariance) / width
    if level < 1e-12:
        covariance, level = np.zeros((width, width)), 1.0
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(width)
    weights = np.linalg.solve(shrunk, means.T)
    scores = np.full((len(queries), FOLDERS), -np.inf)
    scores[:, present] = queries @ weights - (means.T * weights).sum(axis=0) / 2
    return scores


def test_predictions_without_a_second_folder_have_no_margin() -> None:
    none, one, two = -np.inf, [-np.inf, 3.0, -np.inf], [1.0, 3.0, -np.inf]
    found = Predictions.of(np.array([[none] * 3, one, two]))
    assert found.winner.tolist() == [-1, 1, 1]
    assert found.margin.tolist() == [none, none, 2.0]
