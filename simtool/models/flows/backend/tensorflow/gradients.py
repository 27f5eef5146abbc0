"""Gradients of parts of a computation, and computations that define their gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["permuted", "pulled_back", "with_gradient"]

Tensors = tuple[Any, ...]


def pulled_back(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The outputs of a function, and the function from the gradients by its outputs to those by its arguments.

    Call the latter once. Arguments, outputs and gradients are tensors, or tuples and dictionaries of them.
    """
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs = function(*arguments)
    return outputs, lambda of: tape.gradient(outputs, arguments, of, tf.UnconnectedGradients.ZERO)


def with_gradient(function: Callable[..., tuple[Tensors, Callable[..., Tensors]]], *arguments: Any) -> Tensors:
    """The outputs of a function that also returns its gradient: from one gradient per output to one per argument.

    The arguments are the tensors of which gradients are wanted.
    """
    # A custom gradient takes tensors. Outside of a graph, weights may be variables.
    outputs: Tensors = tf.custom_gradient(function)(*map(tf.convert_to_tensor, arguments))
    return outputs


def permuted(x: Any, order: Any, inverse: Any) -> Any:
    """The columns of x (b, D) in an order. The gradient is the inverse permutation, not a sum into zeros."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def permute(x: Any) -> tuple[Any, Any]:
        return tf.gather(x, order, axis=1), lambda of_y: tf.gather(of_y, inverse, axis=1)

    return permute(x)
