"""Loops over the steps of a level, whose weights are stacked, (K, ...).

A few steps are written out: their graph is traced in seconds, and takes slices of the weights without copies. More
steps are one loop, which reads the weights of one step at a time and writes their gradients into arrays. The size of
its graph and the work per step do not depend on K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["scan", "scan_back", "written_out"]

#: The largest number of steps that are written out.
_WRITTEN_OUT = 8
#: Number of iterations that may run at the same time; more of them only need more memory.
_OVERLAP = 2

Weights = Mapping[str, Any]
Tensors = tuple[Any, ...]
#: From the index of a step to its weights.
Reader = Callable[[Any], dict[str, Any]]
#: From the weights of a step and a state to the next state, and tensors to keep.
Ahead = Callable[[Weights, Tensors], tuple[Tensors, Tensors]]
#: From the weights of a step, a state and the kept tensors of the step to the state before it, and results by name.
Back = Callable[[Weights, Tensors, Tensors], tuple[Tensors, Weights]]


def written_out(depth: int) -> bool:
    """Whether so many steps are written out, without a loop."""
    return depth <= _WRITTEN_OUT


def scan(weights: Weights, body: Ahead, state: Tensors, keeps: int = 0, by_array: bool = False) -> tuple[Tensors, Any]:
    """The state after all steps, from the first to the last.

    Args:
        weights: stacked.
        body: one step.
        state: before the first step.
        keeps: the number of tensors that the body keeps, of the type of the first tensor of the state.
        by_array: read the weights from arrays, which takes a copy. The gradient of an array is an array; the gradient
            of a slice would be as large as the stack, for each step.

    Returns:
        The state, and all that was kept, for :func:`scan_back`.
    """
    if not written_out(_depth(weights)):
        return _scan_loop(weights, body, state, keeps, _array_reader(weights) if by_array else _reader(weights))
    kept = []
    for own in _pieces(weights):
        state, of_step = body(own, state)
        kept.append(of_step)
    return state, kept


def scan_back(
    weights: Weights, body: Back, state: Tensors, results: Sequence[str], kept: Any = None
) -> tuple[Tensors, Weights]:
    """The state before all steps, from the last step to the first.

    Args:
        weights: stacked.
        body: one step.
        state: after the last step.
        results: the names of the results of the body, of the types and shapes of the weights.
        kept: by :func:`scan`; None if the body needs nothing.

    Returns:
        The state, and the results of all steps, stacked.
    """
    depth = _depth(weights)
    if not written_out(depth):
        return _scan_back_loop(weights, body, state, results, kept or ())
    found: list[Weights] = []
    for own, of_step in zip(reversed(_pieces(weights)), reversed(kept or [()] * depth), strict=True):
        state, values = body(own, state, of_step)
        found.append(values)
    return state, {name: tf.stack([values[name] for values in reversed(found)]) for name in results}


def _scan_loop(weights: Weights, body: Ahead, state: Tensors, keeps: int, read: Reader) -> tuple[Tensors, Tensors]:
    depth = _depth(weights)
    arrays = tuple(tf.TensorArray(state[0].dtype, depth) for _ in range(keeps))

    def iterate(k: Any, state: Tensors, arrays: Tensors) -> tuple[Any, Tensors, Tensors]:
        state, of_step = body(read(k), state)
        return k + 1, state, tuple(array.write(k, value) for array, value in zip(arrays, of_step, strict=True))

    _, state, kept = tf.while_loop(
        lambda k, *_: k < depth, iterate, (0, state, arrays), parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return state, kept


def _scan_back_loop(
    weights: Weights, body: Back, state: Tensors, results: Sequence[str], kept: Tensors
) -> tuple[Tensors, Weights]:
    depth, read = _depth(weights), _reader(weights)
    shapes = {name: weights[name].shape[1:] for name in results}
    arrays = {name: tf.TensorArray(weights[name].dtype, depth, element_shape=shape) for name, shape in shapes.items()}

    def iterate(k: Any, state: Tensors, arrays: dict[str, Any]) -> tuple[Any, Tensors, dict[str, Any]]:
        state, values = body(read(k), state, tuple(array.read(k) for array in kept))
        return k - 1, state, {name: array.write(k, values[name]) for name, array in arrays.items()}

    start = (depth - 1, state, arrays)
    _, state, arrays = tf.while_loop(
        lambda k, *_: k >= 0, iterate, start, parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return state, {name: array.stack() for name, array in arrays.items()}


def _depth(weights: Weights) -> int:
    depth: int = next(iter(weights.values())).shape[0]
    return depth


def _pieces(weights: Weights) -> list[dict[str, Any]]:
    """The weights of each step."""
    pieces = {name: tf.unstack(stacked) for name, stacked in weights.items()}
    return [{name: own[k] for name, own in pieces.items()} for k in range(_depth(weights))]


def _reader(weights: Weights) -> Reader:
    return lambda k: {name: tf.gather(stacked, k) for name, stacked in weights.items()}


def _array_reader(weights: Weights) -> Reader:
    arrays = {name: _array(stacked) for name, stacked in weights.items()}
    return lambda k: {name: array.read(k) for name, array in arrays.items()}


def _array(stacked: Any) -> Any:
    """A copy as an array, with one tensor per step."""
    shape = stacked.shape
    return tf.TensorArray(stacked.dtype, shape[0], element_shape=shape[1:], clear_after_read=False).unstack(stacked)
