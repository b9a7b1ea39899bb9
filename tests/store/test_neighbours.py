"""The near ones are found among many as among few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.analysis import neighbours
from store.analysis.duplicates import connected
from store.analysis.neighbours import nearest, nearest_within
from tests.support.late import late

sparse = late("scipy.sparse")
csgraph = late("scipy.sparse.csgraph")


def crowd(rng: np.random.Generator, n: int, width: int, noise: float) -> np.ndarray:
    """Unit vectors in groups."""
    centres = rng.standard_normal((max(n // 3, 1), width))
    points = centres[rng.integers(len(centres), size=n)] + noise * rng.standard_normal((n, width))
    unit: np.ndarray = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit.astype(np.float32)


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 200),
    width=st.sampled_from([2, 70, 200]),
    reach=st.sampled_from([0.0, 0.01, 0.3, 2.0]),
    k=st.sampled_from([1, 3, 11]),
    few=st.sampled_from([0, neighbours.FEW]),
)
def test_within_reach_are_the_nearest_that_are_not_farther(
    seed: int, n: int, width: int, reach: float, k: int, few: int
) -> None:
    points = crowd(np.random.default_rng(seed), n, width, 0.05)
    usual = nearest(points, points, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "FEW", few)
        found = nearest_within(points, k, reach)
    assert found.indices.shape == usual.indices.shape
    assert (np.isneginf(found.scores) == (found.indices < 0)).all()
    clear = np.abs(usual.scores - (1 - reach)) > 1e-5  # on the edge, rounding decides
    near = usual.scores >= 1 - reach
    assert np.allclose(found.scores[clear & near], usual.scores[clear & near], atol=1e-5)
    assert np.isneginf(found.scores[clear & ~near]).all()
    rows, places = np.nonzero(found.indices >= 0)
    at = found.indices[rows, places]
    own = np.einsum("pw,pw->p", points[rows], points[at])
    assert np.allclose(own, found.scores[rows, places], atol=1e-5)
    assert len({*zip(rows.tolist(), at.tolist(), strict=True)}) == len(rows)


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 1_500),
    k=st.sampled_from([1, 3, 10]),
    levels=st.sampled_from([2, 1_000_000]),
)
def test_the_nearest_are_those_of_a_whole_sort(seed: int, n: int, k: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(levels, size=(n, 1)).astype(np.float32)
    found = nearest(np.ones((2, 1), np.float32), points, k)
    wanted = np.sort(points[:, 0])[::-1][:k]
    for indices, scores in zip(found.indices, found.scores, strict=True):
        assert scores.tolist() == wanted.tolist() == points[indices, 0].tolist()
        assert len({*indices.tolist()}) == len(wanted)


@given(
    contents=st.integers(1, 30),
    pairs=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40),
)
def test_what_hangs_together_has_one_number(contents: int, pairs: list[tuple[int, int]]) -> None:
    there = [pair for pair in pairs if max(pair) < contents]
    graph = np.array(there, np.int64).reshape(-1, 2)
    weights = (np.ones(len(graph)), graph.T)
    joined = sparse.coo_array(weights, shape=(contents, contents))
    _, wanted = csgraph.connected_components(joined, directed=False)
    assert connected(graph, contents).tolist() == wanted.tolist()


def test_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FEW", 0)
    points = crowd(np.random.default_rng(1), 300, 100, 0.05)
    whole = nearest_within(points, 5, 0.05)
    monkeypatch.setattr(neighbours, "TILE", (7, 31))
    parts = nearest_within(points, 5, 0.05)
    assert np.array_equal(whole.indices, parts.indices)
    assert whole.exact


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_among_many_hardly_a_near_one_is_missed_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    points = crowd(np.random.default_rng(2), 3_000, 64, noise)
    exact = nearest_within(points, 5, 0.04)
    monkeypatch.setattr(neighbours, "MOST_COMPARED", 2_999)
    monkeypatch.setattr(neighbours, "CELL_SIZE", 40)
    found = nearest_within(points, 5, 0.04)
    assert not found.exact
    assert (found.indices[:, 0] >= 0).all()  # at least itself
    shares = [
        len({*few.tolist()} & {*all_.tolist()}) / len({*all_.tolist()})
        for few, all_ in zip(found.indices, exact.indices, strict=True)
    ]
    assert np.mean(shares) >= 0.99
