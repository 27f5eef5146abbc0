from __future__ import annotations

import numpy as np
import pytest

from simtool.tensorflow import load_tensorflow

load_tensorflow()

from simtool.models.flows.jet.patches import from_patches, to_patches  # noqa: E402 - Keras after TensorFlow


@pytest.mark.parametrize(("size", "channels"), [(2, 3), (4, 1)])
def test_a_patch_holds_its_pixels_row_by_row(size: int, channels: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2 * size, 3 * size, channels))
    found = to_patches(x, size).numpy()
    assert found.shape == (2, 2, 3, size * size * channels)
    np.testing.assert_array_equal(found[1, 1, 2], x[1, size:, 2 * size :].ravel())
    np.testing.assert_array_equal(from_patches(found, size), x)
