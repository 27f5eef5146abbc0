"""JAX as the backend of flows. See :mod:`simtool.models.flows.backend.tensorflow` for the functions.

The loop over the steps is one ``jax.lax.scan``, whatever their number. A batch stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

__all__ = ["joined", "permuted", "pulled_back", "scan", "scan_back", "scan_taken", "split", "with_gradient"]

Weights = Mapping[str, Any]
Tensors = tuple[Any, ...]
Ahead = Callable[[Weights, Tensors], tuple[Tensors, Tensors]]
Back = Callable[[Weights, Tensors, Tensors], tuple[Tensors, Weights]]


def scan(
    weights: Weights,
    body: Callable[[Weights, Tensors], tuple[Tensors, Tensors]],
    state: Tensors,
    keeps: int | None = None,
) -> tuple[Tensors, Tensors]:
    """The state after all steps, and all that was kept, stacked."""
    del keeps
    found: tuple[Tensors, Tensors] = jax.lax.scan(lambda state, own: body(own, state), state, dict(weights))
    return found


def scan_taken(weights: Weights, body: Ahead, state: Tensors, taken: int) -> tuple[Tensors, Tensors]:
    """The state after all steps, and what is taken from them, stacked, (K, ...)."""
    return scan(weights, body, state, taken)


def scan_back(
    weights: Weights, body: Back, state: Tensors, results: Sequence[str], kept: Tensors | None = None
) -> tuple[Tensors, Weights]:
    """The state before all steps, from the last step to the first, and the results of all steps, stacked."""
    del results
    found: tuple[Tensors, Weights] = jax.lax.scan(
        lambda state, of_step: body(of_step[0], state, of_step[1]), state, (dict(weights), kept or ()), reverse=True
    )
    return found


def split(x: Any) -> tuple[Any, ...]:
    """The whole batch."""
    return (x,)


def joined(parts: tuple[Any, ...]) -> Any:
    """The batch of the parts."""
    (whole,) = parts
    return whole


def pulled_back(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The outputs of a function, and the function from the gradients by its outputs to those by its arguments."""
    outputs, back = jax.vjp(function, *arguments)
    return outputs, back


def with_gradient(function: Callable[..., tuple[Tensors, Callable[..., Tensors]]], *arguments: Any) -> Tensors:
    """The outputs of a function that also returns its gradient."""

    def both(*arguments: Any) -> tuple[Tensors, Callable[[Tensors], Tensors]]:
        outputs, gradient = function(*arguments)
        return outputs, lambda of: gradient(*of)

    outputs: Tensors = jax.custom_gradient(both)(*arguments)
    return outputs


def permuted(x: Any, order: Any, inverse: Any) -> Any:
    """The columns of x (b, D) in an order; ``inverse`` is not needed."""
    del inverse
    return x[:, order]
