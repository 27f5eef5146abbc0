from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from simtool.scoring.exact import Parts, lowest_exponent

FINITE = arrays(np.float64, (3, 7), elements=st.floats(allow_nan=False, allow_infinity=False))


def exactly(vector: NDArray[np.float64]) -> list[Fraction]:
    return [Fraction(value) for value in vector.tolist()]


@given(vectors=FINITE)
@settings(max_examples=60, deadline=None)
def test_sums_of_products_lose_nothing(vectors: NDArray[np.float64]) -> None:
    lowest = lowest_exponent(vectors)
    first, second = np.array([0, 1, 2]), np.array([1, 1, 0])
    found = Parts(vectors, lowest).products(first, second, [0, 3, 7])
    for pair, (x, y) in enumerate(zip(first, second, strict=True)):
        terms = [one * other for one, other in zip(exactly(vectors[x]), exactly(vectors[y]), strict=True)]
        for group, part in enumerate((terms[:3], terms[3:])):
            assert found[pair, group] * Fraction(2) ** (2 * lowest) == sum(part)


@given(vectors=FINITE)
@settings(max_examples=60, deadline=None)
def test_sums_of_differences_and_of_values_lose_nothing(vectors: NDArray[np.float64]) -> None:
    lowest = lowest_exponent(vectors)
    unit, parts = Fraction(2) ** lowest, Parts(vectors, lowest)
    apart = parts.absolutes(np.array([0]), np.array([2]))[0, 0]
    terms = [abs(one - other) for one, other in zip(exactly(vectors[0]), exactly(vectors[2]), strict=True)]
    assert apart * unit == sum(terms)
    assert [total * unit for total in parts.totals()[:, 0]] == [sum(exactly(vector)) for vector in vectors]


@pytest.mark.parametrize(
    ("values", "exponent"), [([1.0, 4.0], 0), ([0.0, 12.0], 2), ([0.0], 0), ([5e-324, 1.0], -1074), ([-0.75], -2)]
)
def test_the_lowest_exponent_is_that_of_the_last_bit(values: list[float], exponent: int) -> None:
    assert lowest_exponent(np.array([values])) == exponent
