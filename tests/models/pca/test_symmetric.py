from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.models.pca.symmetric import SymmetricMatrix
from simtool.system.threads import Workers


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_its_tiles_act_as_the_whole_matrix(size: int, tile: int, threads: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, shift = rng.standard_normal((size, 7)), rng.standard_normal((size, 3)), rng.standard_normal(size)
    whole = first @ first.T + second @ second.T - np.outer(shift, shift)
    vectors = rng.standard_normal((size, 4))
    with Workers(threads) as workers:
        matrix = SymmetricMatrix(size, workers, tile)
        matrix.add_product(first)
        matrix.add_product(second)
        matrix.subtract_outer(shift)
        product = matrix.apply(vectors)
    np.testing.assert_allclose(matrix.dense(), whole, atol=1e-12)
    np.testing.assert_array_equal(matrix.dense(), matrix.dense().T)
    np.testing.assert_allclose(product, whole @ vectors, atol=1e-11)
    np.testing.assert_allclose(matrix.trace(), np.trace(whole), atol=1e-11)


def test_rounding_errors_do_not_grow_with_the_count_of_blocks() -> None:
    factor = np.full((1, 64), 0.1, np.float32)
    with Workers(1) as workers:
        matrix = SymmetricMatrix(1, workers)
        for _ in range(5000):
            matrix.add_product(factor)
    exact = 5000 * 64 * float(np.float32(0.1)) ** 2
    assert abs(matrix.trace() / exact - 1) < 1e-6


def test_it_keeps_half_the_matrix() -> None:
    with Workers(1) as workers:
        matrix = SymmetricMatrix(1000, workers, 50)
    assert sum(tile.values.nbytes for tile in matrix._tiles) < 0.53 * 8 * 1000**2
