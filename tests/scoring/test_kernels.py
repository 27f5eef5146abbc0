from __future__ import annotations

import math

import numpy as np
import pytest

from simtool.scoring import kernels
from simtool.scoring.pairs import TILE, Pairs
from tests.scoring.judged import all_pairs

#: Runs of every length share their first image.
PAIRS = all_pairs(30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("kernel", "term"),
    [
        (kernels.SQUARES, lambda x, y: (x - y) ** 2),
        (kernels.PRODUCTS, lambda x, y: x * y),
        (kernels.ABSOLUTES, lambda x, y: abs(x - y)),
    ],
)
def test_kernels_add_to_the_sums_so_far(kernel: int, term: np.ufunc, dtype: type[np.floating]) -> None:
    block = np.random.default_rng(0).standard_normal((30, 37)).astype(dtype)
    out = np.arange(len(PAIRS), dtype=np.float64)
    kernels.add_over_pairs(kernel, block, PAIRS, out)
    x, y = block[PAIRS.first].astype(np.float64), block[PAIRS.second].astype(np.float64)
    np.testing.assert_allclose(out, np.arange(len(PAIRS)) + term(x, y).sum(axis=1), rtol=1e-14, atol=1e-13)


def test_squares_of_a_vector_whose_pairs_are_interrupted_at_the_end_of_a_tile() -> None:
    first, second = np.array([0, 1, 2, 0]), np.array([3, 3, 3, TILE[1]])
    pairs, slots = Pairs.of(first.astype(np.int32), second.astype(np.int32), TILE[1] + 1)
    np.testing.assert_array_equal(slots, np.arange(4))
    block, out = np.arange(TILE[1] + 1, dtype=np.float32)[:, np.newaxis], np.zeros(4)
    kernels.add_over_pairs(kernels.SQUARES, block, pairs, out)
    np.testing.assert_array_equal(out, (first - second) ** 2)


def test_squares_of_single_precision_lose_nothing_to_a_common_mean() -> None:
    block = np.full((30, 1000), 1e6, np.float32)
    block[:, 0] += np.arange(30) / 16
    out = np.zeros(len(PAIRS))
    kernels.add_over_pairs(kernels.SQUARES, block, PAIRS, out)
    np.testing.assert_array_equal(out, ((PAIRS.first - PAIRS.second) / 16) ** 2)


def test_moments_of_constant_vectors_are_exact() -> None:
    block = np.repeat(np.array([[0.1], [1e8], [-3.3]], np.float32), 77, axis=1)
    out = np.zeros((3, 3))
    kernels.add_over_rows(block, block[:, 0].astype(np.float64), out)
    np.testing.assert_array_equal(out[:, 1:], 0)
    np.testing.assert_allclose(out[:, 0], 77 * block[:, 0].astype(np.float64) ** 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([3.0, 8.0, 0.0], 1.0),
        ([0.5, -12.25], 0.25),
        ([24.0, 40.0], 8.0),
        ([1.0, 2.0**24], 0.0),
        ([2.0**24, 1.0], 0.0),
        ([0.1], 0.0),
        ([5e-324, 1e-323], 5e-324),
        ([1e300, 1e-300], 0.0),
    ],
)
def test_the_unit_of_numbers_is_the_largest_power_of_two_that_divides_them(values: list[float], unit: float) -> None:
    assert kernels.finest_unit(np.array([values]), math.inf) == unit


def test_the_unit_is_refined_from_block_to_block() -> None:
    blocks = [np.array([[8.0, 4.0]]), np.array([[1.5, 0.0]]), np.array([[6.0, 6.0]])]
    units = [math.inf]
    for block in blocks:
        units.append(kernels.finest_unit(block, units[-1]))
    assert units[1:] == [4, 0.5, 0.5]
    assert kernels.finest_unit(np.zeros((2, 2), np.float32), math.inf) == math.inf
