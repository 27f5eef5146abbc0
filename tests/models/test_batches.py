"""Batches that are all of one size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simtool.models.batches import whole_batches


@given(st.integers(0, 20), st.integers(1, 7))
def test_every_row_comes_once_in_batches_of_one_size_filled_up_with_zeros(count: int, size: int) -> None:
    rows = np.arange(1, 2 * count + 1, dtype=np.float32).reshape(count, 2)
    found = np.zeros_like(rows)
    for where, batch in whole_batches(rows, size):
        assert batch.shape == (size, 2)
        assert not batch[where.stop - where.start :].any()
        found[where] += batch[: where.stop - where.start]
    np.testing.assert_array_equal(found, rows)
