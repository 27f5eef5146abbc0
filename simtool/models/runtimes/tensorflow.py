"""TensorFlow as a runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError
from simtool.models.errors import ModelError
from simtool.models.runtimes.execution import BFLOAT16, Run
from simtool.tensorflow import load_tensorflow, xla_reason

__all__ = ["compiled", "with_xla"]

#: The optimisation of TensorFlow that computes convolutions and products in bfloat16, and sums and softmax in float32.
_ROUNDED = "auto_mixed_precision_onednn_bfloat16"


def compiled(function: Any, precision: str, xla: bool = False) -> Run:
    """Prepare a traced function.

    Args:
        function: a concrete function of TensorFlow, from images to a list of vectors.
        precision: see :class:`~simtool.models.runtimes.execution.Execution`.
        xla: see there.

    Raises:
        UsageError: bfloat16 on a GPU.
    """
    tf = load_tensorflow()
    call = with_xla(tf.function(function.__call__, autograph=False, jit_compile=True)) if xla else function
    if precision == BFLOAT16 and tf.config.get_visible_devices("GPU"):
        raise UsageError("--precision bfloat16 is for processors; a GPU embeds in float32")

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with _rounded() if precision == BFLOAT16 else nullcontext():
            return [vectors.numpy() for vectors in call(tf.constant(images))]

    return run


def with_xla(function: Any) -> Any:
    """A function that XLA compiles; a failure of the compiler becomes a :class:`ModelError` in one line."""
    errors = load_tensorflow().errors

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (errors.InvalidArgumentError, errors.UnimplementedError, errors.InternalError) as failure:
            raise ModelError(
                f"XLA cannot compile this network ({xla_reason(failure)}); embed with --no-xla"
            ) from failure

    return call


@contextmanager
def _rounded() -> Iterator[None]:
    """Switch the optimisation on for the calls in the body; the setting belongs to the whole process."""
    options = load_tensorflow().config.optimizer
    before = options.get_experimental_options().get(_ROUNDED, False)
    options.set_experimental_options({_ROUNDED: True})
    try:
        yield
    finally:
        options.set_experimental_options({_ROUNDED: before})
