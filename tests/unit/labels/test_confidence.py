"""A margin becomes the share of right answers, by the line that scikit-learn draws."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labels.confidence import PlattScaling
from tests.support.late import late

sklearn = late("sklearn.linear_model")


def test_platt_scaling_gives_the_share_of_right_answers() -> None:
    rng = np.random.default_rng(4)
    margin = rng.exponential(size=20_000)
    truth = 1 / (1 + np.exp(-(2 * margin - 1)))
    found = PlattScaling.fit(margin, rng.random(len(margin)) < truth, np.ones(len(margin)))(margin)
    # 20,000 draws leave a standard error of 0.01 at most in any part of the line.
    assert abs(found - truth).max() < 0.03
    nothing = PlattScaling.fit(np.empty(0), np.empty(0, bool), np.empty(0))
    assert nothing(np.array([1.0, -np.inf])).tolist() == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("clips", [2, 30, 3_000])
def test_the_line_is_that_of_scikit_learn(clips: int) -> None:
    rng = np.random.default_rng(5)
    margin = rng.exponential(size=clips)
    margin[0], right = 3 * margin.max(), rng.random(clips) < 0.4 + 0.2 * (margin > 1)
    right[0] = True
    weight = rng.choice([1.0, 0.1], clips)
    found = PlattScaling.fit(margin, right, weight)
    good, bad = weight[right].sum(), weight[~right].sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    theirs = sklearn.LogisticRegression(C=10.0, tol=1e-10, max_iter=1_000).fit(
        np.tile(margin / margin.mean(), 2)[:, None],
        np.repeat([True, False], clips),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    wanted = theirs.predict_proba((margin / margin.mean())[:, None])[:, 1]
    # Both minimise one convex function, until its slope is small.
    np.testing.assert_allclose(found(margin), wanted, atol=1e-6)
