"""Values of observations in as few bytes as they need."""

import numpy as np
import pytest

from simtool.analysis.inference.values import Values

HALVES = [0, 0.5, 1, 0.5]
THIRDS = [0, 1 / 3, 1, 1]


@pytest.mark.parametrize(("column", "halves"), [(HALVES, True), (THIRDS, False)])
def test_multiples_of_one_half_take_one_byte(column: list[float], halves: bool) -> None:
    values = Values.of([np.array(column, np.float32)])
    assert values.are_halves is halves
    assert values.multiples.itemsize == (1 if halves else 4)
    assert (values.unit * values.multiples[:, 0] == np.array(column, np.float32)).all()


@pytest.mark.parametrize("columns", [[HALVES, [1, 1, 1, 0]], [HALVES, THIRDS]])
def test_fractions_are_counted_in_each_column(columns: list[list[float]]) -> None:
    values = Values.of([np.array(column, np.float32) for column in columns])
    expected = [[0 < value < 1 for value in column] for column in columns]
    inside = np.array([True, True, False, False])
    assert values.fractions().tolist() == np.sum(expected, axis=1).tolist()
    assert values.fractions(inside).tolist() == np.sum(np.array(expected)[:, inside], axis=1).tolist()
