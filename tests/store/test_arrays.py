"""Vectors of unit length, and products that rank copies as equals."""

from __future__ import annotations

import numpy as np

from store.arrays import dots, to_unit_length, unit_length


def test_directions_and_zeros_are_kept() -> None:
    vectors = np.array([[3, 4], [0, 0], [0.003, 0], [1e-8, -1e-8]], np.float32)
    expected = np.array([[0.6, 0.8], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(unit_length(vectors), expected, atol=1e-6)
    np.testing.assert_allclose(unit_length(vectors[0]), expected[0], atol=1e-6)
    assert unit_length(vectors.astype(np.float64)).dtype == np.float32
    to_unit_length(vectors)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_equal_vectors_have_equal_products_wherever_they_stand() -> None:
    rng = np.random.default_rng(1)
    copy, vector = rng.standard_normal((2, 513)).astype(np.float32)
    for n in range(1, 40):
        assert len(set(dots(np.tile(copy, (n, 1)), vector).tolist())) == 1
