"""TensorFlow rounds to bfloat16 on request only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.runtimes import tensorflow
from simtool.system.processor import has_bfloat16
from simtool.tensorflow import load_tensorflow


def test_the_setting_of_the_process_is_as_before() -> None:
    tf = load_tensorflow()
    function = tf.function(lambda images: [images + 1], input_signature=[tf.TensorSpec((1, 2))]).get_concrete_function()
    before = tf.config.optimizer.get_experimental_options()
    tensorflow.compiled(function, "bfloat16")(np.zeros((1, 2), np.float32))
    after = tf.config.optimizer.get_experimental_options()
    assert {name: value for name, value in after.items() if value} == {name: v for name, v in before.items() if v}


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_products_are_rounded_and_sums_are_not() -> None:
    tf = load_tensorflow()
    weights = tf.constant(np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32))

    def vectors(images: Any) -> list[Any]:
        return [images @ weights]

    function = tf.function(vectors, input_signature=[tf.TensorSpec((16, 64))]).get_concrete_function()
    images = np.random.default_rng(1).normal(size=(16, 64)).astype(np.float32)
    [exact], [rounded] = (tensorflow.compiled(function, precision)(images) for precision in ("float32", "bfloat16"))
    np.testing.assert_allclose(exact, images @ weights.numpy(), rtol=1e-5, atol=1e-5)
    difference = np.abs(exact - rounded).max() / np.abs(exact).max()
    assert 1e-5 < difference < 1e-2


def test_a_network_that_xla_cannot_compile_is_refused_in_one_line() -> None:
    tf = load_tensorflow()

    def vectors(images: Any) -> list[Any]:
        return [tf.numpy_function(lambda array: array + 1, [images], tf.float32)]

    function = tf.function(vectors, input_signature=[tf.TensorSpec((1, 2))]).get_concrete_function()
    images = np.zeros((1, 2), np.float32)
    assert tensorflow.compiled(function, "float32")(images)[0].tolist() == [[1, 1]]
    with pytest.raises(
        ModelError, match=r"XLA cannot compile this network \(.*PyFunc.*\); embed with --no-xla$"
    ) as refused:
        tensorflow.compiled(function, "float32", xla=True)(images)
    assert "\n" not in str(refused.value)
