"""Patches of pixels become channels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tensorflow import load_tensorflow

load_tensorflow()

from simtool.models.flows.glow.squeeze import squeeze, unsqueeze  # noqa: E402 - Keras after TensorFlow


def test_channel_c_of_pixel_i_j_of_a_patch_becomes_channel_4c_2i_j() -> None:
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3))
    y = squeeze(x).numpy()
    assert y.shape == (2, 3, 2, 12)
    for row, column, i, j, c in np.ndindex(3, 2, 2, 2, 3):
        assert np.array_equal(y[:, row, column, 4 * c + 2 * i + j], x[:, 2 * row + i, 2 * column + j, c])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_unsqueezing_undoes_it(count: int, rows: int, columns: int, channels: int) -> None:
    x = np.arange(count * rows * columns * channels * 4.0).reshape(count, 2 * rows, 2 * columns, channels)
    assert np.array_equal(unsqueeze(squeeze(x)), x)
    y = squeeze(x)
    assert np.array_equal(squeeze(unsqueeze(y)), y)
