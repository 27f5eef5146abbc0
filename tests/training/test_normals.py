"""Normal random numbers in compiled loops have the bits of TensorFlow's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training import normals
from simtool.training.normals import fill_normals


def numbers(seed: tuple[int, int], first: int, groups: int) -> NDArray[np.float32]:
    tf = load_tensorflow()
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=tf.constant(seed))
    found = np.empty((groups, 4), np.float32)
    fill_normals(key.numpy()[0], counter.numpy(), first, found)
    return found


@pytest.mark.parametrize("seed", [(0, 0), (3, 1), (-7, 2**31 - 1)])
def test_a_million_numbers_are_those_of_tensorflow(seed: tuple[int, int]) -> None:
    groups = 1 << 18
    exact = load_tensorflow().random.stateless_normal([groups, 4], seed).numpy()
    np.testing.assert_array_equal(numbers(seed, 0, groups), exact)


def test_a_part_of_the_stream_is_that_part_of_the_whole() -> None:
    whole = numbers((1, 2), 0, 2000)
    np.testing.assert_array_equal(numbers((1, 2), 700, 613), whole[700:1313])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (0xFFFFFFFFFFFFFFFF, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ],
)
def test_the_random_bits_are_those_of_the_publication(words: int, expected: str) -> None:
    """Known answers of philox4x32 with 10 rounds, from the authors' Random123 (``kat_vectors``)."""
    bits = np.zeros((4, 256), np.uint32)
    normals._fill_bits(np.uint64(words), np.full(2, words, np.uint64), 0, 1, bits)
    assert " ".join(f"{word:08x}" for word in bits[:, 0]) == expected


def test_the_numbers_are_normal() -> None:
    found = numbers((5, 5), 0, 100_000)
    assert abs(found.mean()) < 0.01
    assert found.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(found) < 1.96) == pytest.approx(0.95, abs=0.003)
