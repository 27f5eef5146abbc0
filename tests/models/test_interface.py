"""Computations in batches that are all of one size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.models.interface import in_whole_batches


@given(st.integers(0, 20), st.integers(1, 7))
def test_every_row_comes_once_in_batches_of_one_size_filled_up_with_zeros(count: int, size: int) -> None:
    rows = np.arange(1, 2 * count + 1, dtype=np.float32).reshape(count, 2)
    seen = [np.empty((0, 2), np.float32)]

    def compute(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        assert batch.shape == (size, 2)
        seen.append(batch)
        return [batch, batch[:, :1]]

    whole, first = in_whole_batches(compute, rows, size, [2, 1])
    np.testing.assert_array_equal(whole, rows)
    np.testing.assert_array_equal(first, rows[:, :1])
    np.testing.assert_array_equal(np.concatenate(seen)[:count], rows)
    assert not np.concatenate(seen)[count:].any()
