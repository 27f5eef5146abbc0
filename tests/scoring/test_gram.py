"""Tests of :mod:`simtool.scoring.gram`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.scoring.columns import HeldColumns
from simtool.scoring.gram import Gram
from simtool.scoring.rows import RowSums
from tests.scoring.judged import KINDS, WILD, exact_distance, some_vectors, wild_vectors

PRECISIONS = pytest.mark.parametrize("precision", [np.float32, np.float64])


def made(vectors: NDArray[np.floating], precision: type[np.floating], width: int | None = None) -> tuple[Gram, RowSums]:
    rows = RowSums(HeldColumns(vectors, width=width))
    return Gram.of(rows, precision, lambda _: None), rows


def squares(gram: Gram) -> NDArray[np.float64]:
    """The squared distances of all pairs, as the loops compute them."""
    first, second = np.triu_indices(len(gram.norms), 1)
    products = gram.products[first, second].astype(np.float64)
    found: NDArray[np.float64] = gram.norms[first] + gram.norms[second] - 2 * products
    return found


def exact_squares(vectors: NDArray[np.floating], scale: float) -> list[Fraction]:
    first, second = np.triu_indices(len(vectors), 1)
    return [
        exact_distance("mse", vectors[x], vectors[y]) * Fraction(scale) ** 2 for x, y in zip(first, second, strict=True)
    ]


@PRECISIONS
@pytest.mark.parametrize("kind", [*WILD, "long", "blocks"])
def test_the_error_of_a_squared_distance_is_within_the_bound(kind: str, precision: type[np.floating]) -> None:
    if kind in WILD:
        gram, rows = made(vectors := wild_vectors(kind, 9, 12), precision)
    else:
        vectors = some_vectors("pixels", 5, 700)
        gram, rows = made(vectors, precision, 96 if kind == "blocks" else None)
    error = gram.error(rows) + rows.tolerance * 12 * gram.longest
    if not np.isfinite(error):
        assert precision is np.float32
        assert kind in ("scales of singles", "outlier")
        return
    for found, exact in zip(squares(gram).tolist(), exact_squares(vectors, rows.scale), strict=True):
        assert abs(Fraction(found) - exact) <= Fraction(error)


@PRECISIONS
@pytest.mark.parametrize("kind", ["integers", "one-hot"])
def test_squared_distances_of_small_whole_numbers_are_exact(kind: str, precision: type[np.floating]) -> None:
    vectors = some_vectors(kind, 12) / 8
    gram, rows = made(vectors, precision)
    assert rows.are_exact()
    assert gram.error(rows) == 0
    assert squares(gram).tolist() == [float(exact) for exact in exact_squares(vectors, 1)]


def test_whole_numbers_that_are_too_large_for_single_precision_are_not_exact_in_it() -> None:
    vectors = np.random.default_rng(0).integers(0, 5000, (9, 40)).astype(np.float32)
    (single, rows), (double, _) = made(vectors, np.float32), made(vectors, np.float64)
    assert rows.are_exact()
    assert single.error(rows) > 0
    assert double.error(rows) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_many_vectors_and_many_columns_take_several_tiles_and_pieces(kind: str) -> None:
    vectors = some_vectors(kind, 400, 300)
    gram, _ = made(vectors, np.float32, width=280)
    x, y = np.triu_indices(400, 1)
    expected = ((vectors[x].astype(np.float64) - vectors[y]) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares(gram), expected, rtol=1e-4, atol=1e-4 * gram.longest)


def test_the_block_is_kept_as_it_was_read() -> None:
    vectors = some_vectors("pixels")
    np.testing.assert_array_equal(made(vectors, np.float32)[0].block, vectors)
