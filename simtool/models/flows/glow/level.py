"""One level of the flow: K steps with stacked weights, (K, ...), as one loop.

Three modes of backpropagation give the same gradients at different costs:

``plain`` keeps every activation that the gradient needs. It is the fastest.
``recompute`` keeps the input of each step, and computes the step a second time (Chen et al., 2016).
``reversible`` keeps only the output of the level, and recovers the input of each step by inverting the step (Gomez et
al., 2017), so that memory does not grow with depth. The backward pass evaluates each coupling network once: its output
serves the inverse and the gradient.

Computations on weights alone are done for all steps at once, outside of the loop. The loop reads the weights of one
step at a time and writes their gradients into arrays: the size of the graph and the work per step do not depend on K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from simtool.models.errors import ModelError
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow import coupling, network, step
from simtool.models.flows.glow.config import GlowConfig

__all__ = ["forward", "inverse"]

#: Up to this many steps are traced in seconds without a loop, and their gradients are a little faster.
_WRITTEN_OUT = 8
#: Number of iterations that may run at the same time; more of them only need more memory.
_OVERLAP = 2
#: Names of the prepared weights of the linear map. All other weights belong to the coupling network.
_LINEAR = ("linear/matrix", "linear/shift")

Weights = Mapping[str, Any]
#: From the gradients by y and by the log-determinant to the gradients by x and by each of the weights.
Gradient = Callable[[Any, Any], tuple[Any, ...]]


def forward(
    weights: Mapping[str, Any], constants: Mapping[str, Any], x: Any, config: GlowConfig, mode: Mode = "plain"
) -> tuple[Any, Any]:
    """All steps of a level, towards the latents, from x (b, h, w, c) and the stacked weights of the steps.

    Returns:
        y (b, h, w, c), and the log-determinant of each image (b,).
    """
    if mode not in MODES:
        raise ModelError(f"there is no mode of backpropagation {mode}; the modes are {', '.join(MODES)}")
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    if mode == "plain" and config.steps <= _WRITTEN_OUT:
        y, log_det = _written_out(prepared, x, config)
    elif mode == "plain":
        # The gradient of an array is an array. The gradient of a slice would be as large as the stack, for each step.
        arrays = {name: _array(stacked) for name, stacked in prepared.items()}
        y, log_det, _ = _ahead(lambda k: {name: array.read(k) for name, array in arrays.items()}, x, config)
    else:
        y, log_det = _by_hand(mode, prepared, x, config)
    return y, log_det + x.shape[1] * x.shape[2] * tf.reduce_sum(log_det_of_pixel)


def inverse(weights: Mapping[str, Any], constants: Mapping[str, Any], y: Any, config: GlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    prepared, _ = step.prepare(weights, constants)
    inverse_matrices = step.inverse_matrix(weights, constants)

    def body(k: Any, y: Any) -> tuple[Any, Any]:
        return k - 1, step.invert(_weights_of(prepared, k), tf.gather(inverse_matrices, k), y, config)

    return _backwards(config.steps, body, (y,))[0]


def _written_out(prepared: Mapping[str, Any], x: Any, config: GlowConfig) -> tuple[Any, Any]:
    """The output, and the log-determinant of the couplings for each image."""
    pieces = {name: tf.unstack(stacked) for name, stacked in prepared.items()}
    total = tf.zeros_like(x[:, 0, 0, 0])
    for k in range(config.steps):
        x, log_det = step.apply({name: own[k] for name, own in pieces.items()}, x, config)
        total = total + log_det
    return x, total


def _by_hand(mode: Mode, prepared: Weights, x: Any, config: GlowConfig) -> tuple[Any, Any]:
    """The output and the log-determinant, with a custom gradient."""
    names, differentiable = list(prepared), _recomputed if mode == "recompute" else _reversed

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def level(x: Any, *stacked: Any) -> tuple[tuple[Any, Any], Gradient]:
        return differentiable(dict(zip(names, stacked, strict=True)), x, config)

    # A custom gradient takes tensors. Outside of a graph, the weights may be variables.
    y, log_det = level(x, *map(tf.convert_to_tensor, prepared.values()))
    return y, log_det


def _ahead(
    read: Callable[[Any], Weights], x: Any, config: GlowConfig, keep_inputs: bool = False
) -> tuple[Any, Any, Any]:
    """The output, the log-determinant, and an array of the inputs of the steps (if ``keep_inputs``)."""
    depth = config.steps
    inputs = (tf.TensorArray(x.dtype, depth, element_shape=x.shape),) if keep_inputs else ()

    def body(k: Any, x: Any, log_det: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        y, change = step.apply(read(k), x, config)
        return k + 1, y, log_det + change, tuple(array.write(k, x) for array in inputs)

    start = (0, x, tf.zeros_like(x[:, 0, 0, 0]), inputs)
    _, y, log_det, inputs = tf.while_loop(
        lambda k, *_: k < depth, body, start, parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return y, log_det, inputs


def _recomputed(weights: Weights, x: Any, config: GlowConfig) -> tuple[tuple[Any, Any], Gradient]:
    """The outputs, and a gradient that computes each step again from its input."""
    y, log_det, inputs = _ahead(lambda k: _weights_of(weights, k), x, config, keep_inputs=True)

    def gradient(of_y: Any, of_log_det: Any) -> tuple[Any, ...]:
        def body(k: Any, of_y: Any, gradients: dict[str, Any]) -> tuple[Any, ...]:
            own, x = _weights_of(weights, k), inputs[0].read(k)
            with tf.GradientTape() as tape:
                tape.watch((x, own))
                outputs = step.apply(own, x, config)
            of_x, of_own = tape.gradient(outputs, (x, own), (of_y, of_log_det), tf.UnconnectedGradients.ZERO)
            return k - 1, of_x, _write(gradients, k, of_own)

        of_x, gradients = _backwards(config.steps, body, (of_y, _empty(weights)))
        return of_x, *(array.stack() for array in gradients.values())

    return (y, log_det), gradient


def _reversed(weights: Weights, x: Any, config: GlowConfig) -> tuple[tuple[Any, Any], Gradient]:
    """The outputs, and a gradient that inverts each step."""
    output, log_det, _ = _ahead(lambda k: _weights_of(weights, k), x, config)

    def gradient(of_y: Any, of_log_det: Any) -> tuple[Any, ...]:
        # In float64: the rounding errors of these inverses in float32 would dominate those of the steps.
        matrices = weights["linear/matrix"]
        inverse_matrices = tf.cast(tf.linalg.inv(tf.cast(matrices, tf.float64)), matrices.dtype)

        def body(k: Any, y: Any, of_y: Any, gradients: dict[str, Any]) -> tuple[Any, ...]:
            own = _weights_of(weights, k)
            mixed, of_mixed, of_own = _undo_coupling(own, y, of_y, of_log_det, config)
            x = step.unmix(own, tf.gather(inverse_matrices, k), mixed)
            of_x, of_linear = _mix_gradient(own, x, of_mixed)
            return k - 1, x, of_x, _write(gradients, k, of_own | of_linear)

        _, of_x, gradients = _backwards(config.steps, body, (output, of_y, _empty(weights)))
        return of_x, *(array.stack() for array in gradients.values())

    return (output, log_det), gradient


def _undo_coupling(
    weights: Weights, y: Any, of_y: Any, of_log_det: Any, config: GlowConfig
) -> tuple[Any, Any, dict[str, Any]]:
    """The input of a coupling from its output, the gradient by this input, and the gradients by the weights.

    One evaluation of the network serves the inverse and the gradient.
    """
    own = {name: weight for name, weight in weights.items() if name not in _LINEAR}
    x_a, y_b = coupling.halves(y)
    of_a, of_b = coupling.halves(of_y)
    with tf.GradientTape() as network_tape:
        network_tape.watch((x_a, own))
        h = network.apply(own, x_a, config)
    x_b = coupling.invert(h, y_b, config)
    with tf.GradientTape() as transform_tape:
        transform_tape.watch((h, x_b))
        outputs = coupling.transform(h, x_b, config)
    zero = tf.UnconnectedGradients.ZERO
    of_h, of_x_b = transform_tape.gradient(outputs, (h, x_b), (of_b, of_log_det), zero)
    of_x_a, of_own = network_tape.gradient(h, (x_a, own), of_h, zero)
    return tf.concat([x_a, x_b], -1), tf.concat([of_a + of_x_a, of_x_b], -1), of_own


def _mix_gradient(weights: Weights, x: Any, of_mixed: Any) -> tuple[Any, dict[str, Any]]:
    """The gradients of the linear map. TensorFlow drops the product itself from the graph, since nothing uses it."""
    own = {name: weights[name] for name in _LINEAR}
    with tf.GradientTape() as tape:
        tape.watch((x, own))
        mixed = step.mix(own, x)
    of_x, of_own = tape.gradient(mixed, (x, own), of_mixed)
    return of_x, of_own


def _backwards(depth: int, body: Callable[..., tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """The state after a loop from the last step to the first."""
    _, *state_after = tf.while_loop(
        lambda k, *_: k >= 0, body, (depth - 1, *state), parallel_iterations=_OVERLAP, maximum_iterations=depth
    )
    return tuple(state_after)


def _array(stacked: Any) -> Any:
    """A copy as an array, with one tensor per step."""
    shape = stacked.shape
    return tf.TensorArray(stacked.dtype, shape[0], element_shape=shape[1:], clear_after_read=False).unstack(stacked)


def _weights_of(weights: Weights, k: Any) -> dict[str, Any]:
    """The weights of one step."""
    return {name: tf.gather(stacked, k) for name, stacked in weights.items()}


def _empty(weights: Weights) -> dict[str, Any]:
    """Arrays for the gradients of the weights."""
    return {
        name: tf.TensorArray(stacked.dtype, stacked.shape[0], element_shape=stacked.shape[1:])
        for name, stacked in weights.items()
    }


def _write(arrays: Mapping[str, Any], k: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.write(k, values[name]) for name, array in arrays.items()}
