"""Loops over the steps of a level, whose weights are stacked, (K, ...).

A few steps may be written out: their graph is traced in seconds, and takes slices of the weights without copies. All
other steps are one loop, which reads the weights of one step at a time and writes their gradients into arrays. The size
of its graph and the work per step do not depend on K.

Steps that are computed a second time are always a loop. Written out, TensorFlow merges both computations and keeps the
activations of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from simtool.models.flows.backend.depth import depth_of, few

__all__ = ["scan", "scan_back", "scan_taken"]

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


def scan(weights: Weights, body: Ahead, state: Tensors, keeps: int | None = None) -> tuple[Tensors, Tensors]:
    """The state after all steps, from the first to the last.

    Args:
        weights: stacked.
        body: one step.
        state: before the first step.
        keeps: the number of tensors that the body keeps, of the type of the first tensor of the state. None if
            TensorFlow differentiates the steps. Then a few steps are written out; a loop reads the weights from arrays,
            which takes a copy. The gradient of an array is an array; the gradient of a slice would be as large as the
            stack, for each step.

    Returns:
        The state, and arrays of all that was kept, for :func:`scan_back`.
    """
    if keeps is not None:
        return _scan_loop(weights, body, state, keeps, _reader(weights))
    if not few(depth_of(weights)):
        return _scan_loop(weights, body, state, 0, _array_reader(weights))
    for own in _pieces(weights):
        state, _ = body(own, state)
    return state, ()


def scan_taken(weights: Weights, body: Ahead, state: Tensors, taken: int) -> tuple[Tensors, Tensors]:
    """The state after all steps, and what is taken from them, stacked, (K, ...). Nothing differentiates the steps.

    Args:
        weights: stacked.
        body: one step; it returns what is taken.
        state: before the first step.
        taken: the number of tensors that are taken, of the type of the first tensor of the state.
    """
    if not few(depth_of(weights)):
        state, arrays = _scan_loop(weights, body, state, taken, _reader(weights))
        return state, tuple(array.stack() for array in arrays)
    found: list[Tensors] = []
    for own in _pieces(weights):
        state, of_step = body(own, state)
        found.append(of_step)
    return state, tuple(map(tf.stack, zip(*found, strict=True)))


def scan_back(
    weights: Weights, body: Back, state: Tensors, results: Sequence[str], kept: Tensors | None = None
) -> tuple[Tensors, Weights]:
    """The state before all steps, from the last step to the first.

    Args:
        weights: stacked.
        body: one step.
        state: after the last step.
        results: the names of the results of the body, of the types and shapes of the weights.
        kept: by :func:`scan`; None if these steps are not computed a second time. Then a few are written out.

    Returns:
        The state, and the results of all steps, stacked.
    """
    if kept is not None or not few(depth_of(weights)):
        return _scan_back_loop(weights, body, state, results, kept or ())
    found: list[Weights] = []
    for own in reversed(_pieces(weights)):
        state, values = body(own, state, ())
        found.append(values)
    return state, {name: tf.stack([values[name] for values in reversed(found)]) for name in results}


def _scan_loop(weights: Weights, body: Ahead, state: Tensors, keeps: int, read: Reader) -> tuple[Tensors, Tensors]:
    depth = depth_of(weights)
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
    depth, read = depth_of(weights), _reader(weights)
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


def _pieces(weights: Weights) -> list[dict[str, Any]]:
    """The weights of each step."""
    pieces = {name: tf.unstack(stacked) for name, stacked in weights.items()}
    return [{name: own[k] for name, own in pieces.items()} for k in range(depth_of(weights))]


def _reader(weights: Weights) -> Reader:
    return lambda k: {name: tf.gather(stacked, k) for name, stacked in weights.items()}


def _array_reader(weights: Weights) -> Reader:
    arrays = {name: _array(stacked) for name, stacked in weights.items()}
    return lambda k: {name: array.read(k) for name, array in arrays.items()}


def _array(stacked: Any) -> Any:
    """A copy as an array, with one tensor per step."""
    shape = stacked.shape
    return tf.TensorArray(stacked.dtype, shape[0], element_shape=shape[1:], clear_after_read=False).unstack(stacked)
