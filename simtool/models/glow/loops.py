"""The steps of a level as TensorFlow loops, with three ways back (see :mod:`simtool.models.glow.level`).

Weights are by name, prepared by :func:`simtool.models.glow.step.prepare` and stacked, (K, ...). Each loop reads those
of one step at a time from arrays that share the stack's memory, and writes their gradients into arrays as well:
neither the size of the graph nor the work per step depends on K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from simtool.models.glow import coupling, step
from simtool.models.glow.config import FlowConfig

__all__ = ["forward", "inverse"]

#: Iterations that may overlap where one does not wait for the other; more only hold memory.
_OVERLAP = 2

Weights = Mapping[str, Any]


def forward(
    mode: str, weights: Weights, inverse_matrices: Callable[[], Any], x: Any, config: FlowConfig
) -> tuple[Any, Any]:
    """All steps of a level.

    Args:
        mode: of backpropagation: ``plain``, ``recompute`` or ``reversible``.
        weights: prepared, stacked.
        inverse_matrices: gives the inverses of the steps' linear maps, (K, c, c); the way back by inversion needs them.
        x: (b, h, w, c).
        config: of the flow.

    Returns:
        y (b, h, w, c), and the log-determinant of the couplings for each image (b,).
    """
    if mode == "plain":
        y, log_det, _ = _ahead(weights, x, config, keep_inputs=False)
        return y, log_det
    names = list(weights)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def level(x: Any, *stacked: Any) -> tuple[tuple[Any, Any], Callable[[Any, Any], tuple[Any, ...]]]:
        own = dict(zip(names, stacked, strict=True))
        y, log_det, inputs = _ahead(own, x, config, keep_inputs=mode == "recompute")

        def gradient(of_y: Any, of_log_det: Any) -> tuple[Any, ...]:
            if mode == "recompute":
                of_x, of_weights = _back_by_inputs(own, inputs, of_y, of_log_det, config)
            else:
                of_x, of_weights = _back_by_inversion(own, inverse_matrices(), y, of_y, of_log_det, config)
            return of_x, *(of_weights[name] for name in names)

        return (y, log_det), gradient

    y, log_det = level(x, *weights.values())
    return y, log_det


def inverse(weights: Weights, inverse_matrices: Any, y: Any, config: FlowConfig) -> Any:
    """All steps of a level, backwards: x (b, h, w, c)."""
    arrays, matrices = _arrays(weights), _array(inverse_matrices)

    def body(k: Any, y: Any) -> tuple[Any, Any]:
        return k - 1, step.invert(_read(arrays, k), matrices.read(k), y, config)

    return _backwards(_depth(weights), body, (y,))[0]


def _ahead(weights: Weights, x: Any, config: FlowConfig, keep_inputs: bool) -> tuple[Any, Any, Any]:
    """The output, the log-determinant, and an array of the steps' inputs (if they are kept)."""
    depth, arrays = _depth(weights), _arrays(weights)
    inputs = (tf.TensorArray(x.dtype, depth, element_shape=x.shape, clear_after_read=True),) if keep_inputs else ()

    def body(k: Any, x: Any, log_det: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        y, change = step.apply(_read(arrays, k), x, config)
        return k + 1, y, log_det + change, tuple(array.write(k, x) for array in inputs)

    start = (0, x, tf.zeros_like(x[:, 0, 0, 0]), inputs)
    _, y, log_det, inputs = tf.while_loop(
        lambda k, *_: k < depth, body, start, parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return y, log_det, inputs


def _back_by_inputs(
    weights: Weights, inputs: tuple[Any, ...], of_y: Any, of_log_det: Any, config: FlowConfig
) -> tuple[Any, dict[str, Any]]:
    """Gradients with respect to the input and the weights, from the steps' inputs."""
    arrays = _arrays(weights)

    def body(k: Any, of_y: Any, gradients: dict[str, Any]) -> tuple[Any, ...]:
        own, x = _read(arrays, k), inputs[0].read(k)
        with tf.GradientTape() as tape:
            tape.watch((x, own))
            outputs = step.apply(own, x, config)
        of_x, of_own = tape.gradient(outputs, (x, own), (of_y, of_log_det), tf.UnconnectedGradients.ZERO)
        return k - 1, of_x, _write(gradients, k, of_own)

    of_x, gradients = _backwards(_depth(weights), body, (of_y, _empty(weights)))
    return of_x, _stack(gradients)


def _back_by_inversion(
    weights: Weights, inverse_matrices: Any, y: Any, of_y: Any, of_log_det: Any, config: FlowConfig
) -> tuple[Any, dict[str, Any]]:
    """Gradients with respect to the input and the weights, from the output alone."""
    arrays, matrices = _arrays(weights), _array(inverse_matrices)

    def body(k: Any, y: Any, of_y: Any, gradients: dict[str, Any]) -> tuple[Any, ...]:
        x, of_x, of_own = _undo(_read(arrays, k), matrices.read(k), y, of_y, of_log_det, config)
        return k - 1, x, of_x, _write(gradients, k, of_own)

    _, of_x, gradients = _backwards(_depth(weights), body, (y, of_y, _empty(weights)))
    return of_x, _stack(gradients)


def _undo(
    weights: Weights, inverse_matrix: Any, y: Any, of_y: Any, of_log_det: Any, config: FlowConfig
) -> tuple[Any, Any, Any]:
    """The input of a step from its output, and the gradients with respect to the input and the weights.

    Each tape records one piece of the step, from the inputs that were just recovered. The network's one evaluation
    serves the inverse and the gradient; that of the linear map, whose output is known, is dropped from the graph.
    """
    x_a, y_b = coupling.halves(y)
    of_a, of_b = coupling.halves(of_y)
    with tf.GradientTape() as network_tape:
        network_tape.watch((x_a, weights))
        h = coupling.network(weights, x_a, config)
    x_b = coupling.invert(h, y_b, config)
    with tf.GradientTape() as transform_tape:
        transform_tape.watch((h, x_b))
        outputs = coupling.transform(h, x_b, config)
    zero = tf.UnconnectedGradients.ZERO
    of_h, of_x_b = transform_tape.gradient(outputs, (h, x_b), (of_b, of_log_det), zero)
    of_x_a, of_network = network_tape.gradient(h, (x_a, dict(weights)), of_h, zero)
    mixed, of_mixed = tf.concat([x_a, x_b], -1), tf.concat([of_a + of_x_a, of_x_b], -1)
    x = step.unmix(weights, inverse_matrix, mixed)
    with tf.GradientTape() as linear_tape:
        linear_tape.watch((x, weights))
        mixed = step.mix(weights, x)
    of_x, of_linear = linear_tape.gradient(mixed, (x, dict(weights)), of_mixed, zero)
    return x, of_x, {name: (of_linear if name.startswith("linear/") else of_network)[name] for name in weights}


def _depth(weights: Weights) -> int:
    depth: int = weights["linear/matrix"].shape[0]
    return depth


def _backwards(depth: int, body: Callable[..., tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a loop from the last step to the first makes of the state."""
    _, *state_after = tf.while_loop(
        lambda k, *_: k >= 0, body, (depth - 1, *state), parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return tuple(state_after)


def _array(stacked: Any) -> Any:
    """An array of the steps' own tensors."""
    shape = stacked.shape
    return tf.TensorArray(stacked.dtype, shape[0], element_shape=shape[1:], clear_after_read=False).unstack(stacked)


def _arrays(weights: Weights) -> dict[str, Any]:
    return {name: _array(stacked) for name, stacked in weights.items()}


def _read(arrays: Mapping[str, Any], k: Any) -> dict[str, Any]:
    return {name: array.read(k) for name, array in arrays.items()}


def _empty(weights: Weights) -> dict[str, Any]:
    """Arrays for the gradients of the weights."""
    return {
        name: tf.TensorArray(stacked.dtype, stacked.shape[0], element_shape=stacked.shape[1:])
        for name, stacked in weights.items()
    }


def _write(arrays: Mapping[str, Any], k: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.write(k, values[name]) for name, array in arrays.items()}


def _stack(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.stack() for name, array in arrays.items()}
