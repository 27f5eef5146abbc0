"""Layers compute in lower precision on float32 variables; a float16 loss is scaled."""

from __future__ import annotations

import pytest

from simtool.training.precision import LossScale, layer_precision
from simtool.training.settings import Precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_layers_compute_in_the_precision_and_keep_float32_variables(precision: Precision) -> None:
    from simtool.tensorflow import load_tensorflow

    load_tensorflow()
    import keras

    before = keras.config.dtype_policy().name
    with layer_precision(precision):
        layer = keras.layers.Dense(2)
    assert keras.config.dtype_policy().name == before
    assert keras.backend.standardize_dtype(layer(keras.ops.ones((1, 3))).dtype) == precision
    assert layer.kernel.dtype == "float32"


def test_the_precision_is_put_back_after_a_failure() -> None:
    import keras

    with pytest.raises(RuntimeError), layer_precision("float16"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"


def test_only_float16_is_scaled() -> None:
    assert LossScale.of("float32").after(False) == LossScale.of("bfloat16").after(True) == LossScale(1.0)
    assert LossScale.of("float16").value == 2**15


def test_the_scale_is_halved_by_an_overflow_and_never_below_one() -> None:
    scale = LossScale.of("float16")
    for _ in range(15):
        assert scale.value > 1
        scale = scale.after(False)
    assert scale.value == scale.after(False).value == 1


def test_the_scale_is_doubled_after_two_thousand_good_steps_in_a_row() -> None:
    scale = LossScale(8.0, good=1998, dynamic=True)
    assert scale.after(True) == LossScale(8.0, 1999, True)
    assert scale.after(True).after(True) == LossScale(16.0, 0, True)
    assert scale.after(True).after(False) == LossScale(4.0, 0, True)
