"""One level of the flow: K steps with stacked weights, (K, ...).

Three modes of backpropagation give the same gradients at different costs:

``plain`` keeps every activation that the gradient needs. It is the fastest.
``recompute`` keeps the input of each step, and computes the step a second time (Chen et al., 2016).
``reversible`` keeps only the output of the level, and recovers the input of each step by inverting the step (Gomez et
al., 2017), so that memory does not grow with depth. The backward pass evaluates each coupling network once: its output
serves the inverse and the gradient.

With a few steps, both of the latter modes also keep the outputs of the coupling networks, which are small. The last
convolution of each network is then computed only once.

Computations on weights alone are done for all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from simtool.models.errors import ModelError
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow import coupling, network, step
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.parts import joined, split
from simtool.models.flows.glow.scan import few, scan, scan_back

__all__ = ["forward", "inverse"]

#: Names of the prepared weights of the linear map. All other weights belong to the coupling network.
_LINEAR = ("linear/matrix", "linear/shift")

Weights = Mapping[str, Any]
Tensors = tuple[Any, ...]
#: From the gradients by y and by the log-determinant to the gradients by x and by each of the weights.
Gradient = Callable[[Any, Any], Tensors]


def forward(weights: Weights, constants: Weights, x: Any, config: GlowConfig, mode: Mode = "plain") -> tuple[Any, Any]:
    """All steps of a level, towards the latents, from x (b, h, w, c) and the stacked weights of the steps.

    Returns:
        y (b, h, w, c), and the log-determinant of each image (b,).
    """
    if mode not in MODES:
        raise ModelError(f"there is no mode of backpropagation {mode}; the modes are {', '.join(MODES)}")
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    if mode == "plain":
        y, log_det, _ = _ahead(prepared, x, config, mode)
    else:
        y, log_det = _by_hand(prepared, x, config, mode)
    return y, log_det + x.shape[1] * x.shape[2] * tf.reduce_sum(log_det_of_pixel)


def inverse(weights: Weights, constants: Weights, y: Any, config: GlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    prepared, _ = step.prepare(weights, constants)
    prepared = {**prepared, "linear/inverse": step.inverse_matrix(weights, constants)}

    def body(own: Weights, state: Tensors, _: Tensors) -> tuple[Tensors, Weights]:
        return tuple(step.invert(own, y, config) for y in state), {}

    state, _ = scan_back(prepared, body, split(y), ())
    return joined(state)


def _ahead(prepared: Weights, x: Any, config: GlowConfig, mode: Mode) -> tuple[Any, Any, Any]:
    """The output, the log-determinant of the couplings for each image, and what the mode keeps of each step."""
    parts = split(x)

    def body(own: Weights, state: Tensors) -> tuple[Tensors, Tensors]:
        inputs, log_dets = state[: len(parts)], state[len(parts) :]
        outputs, changes, of_networks = zip(*(step.apply(own, x, config) for x in inputs), strict=True)
        totals = tuple(total + change for total, change in zip(log_dets, changes, strict=True))
        return (*outputs, *totals), _kept(inputs, of_networks, config, mode)

    start = (*parts, *(tf.zeros_like(part[:, 0, 0, 0]) for part in parts))
    keeps = len(parts) * ((mode == "recompute") + few(config.steps))
    state, kept = scan(prepared, body, start, None if mode == "plain" else keeps)
    return joined(state[: len(parts)]), joined(state[len(parts) :]), kept


def _kept(inputs: Tensors, of_networks: Tensors, config: GlowConfig, mode: Mode) -> Tensors:
    """The tensors of a step that its gradient uses: inputs of the step, outputs of its network."""
    if mode == "plain":
        return ()
    return (*(inputs if mode == "recompute" else ()), *(of_networks if few(config.steps) else ()))


def _by_hand(prepared: Weights, x: Any, config: GlowConfig, mode: Mode) -> tuple[Any, Any]:
    """The output and the log-determinant, with a custom gradient."""
    names = list(prepared)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def level(x: Any, *stacked: Any) -> tuple[tuple[Any, Any], Gradient]:
        weights = dict(zip(names, stacked, strict=True))
        y, log_det, kept = _ahead(weights, x, config, mode)
        return (y, log_det), lambda of_y, of_log_det: _back(weights, y, of_y, of_log_det, kept, config, mode)

    # A custom gradient takes tensors. Outside of a graph, the weights may be variables.
    y, log_det = level(x, *map(tf.convert_to_tensor, prepared.values()))
    return y, log_det


def _back(weights: Weights, y: Any, of_y: Any, of_log_det: Any, kept: Any, config: GlowConfig, mode: Mode) -> Tensors:
    """The gradients by the input of a level and by each of the weights."""
    names, of_log_dets = list(weights), split(of_log_det)
    count = len(of_log_dets)
    if mode == "reversible":
        # In float64: the rounding errors of these inverses in float32 would dominate those of the steps.
        matrix = weights["linear/matrix"]
        inverse_matrix = tf.cast(tf.linalg.inv(tf.cast(matrix, tf.float64)), matrix.dtype)
        weights = {**weights, "linear/inverse": inverse_matrix}

    def body(own: Weights, state: Tensors, kept: Tensors) -> tuple[Tensors, Weights]:
        outputs, of_outputs = state[:count], state[count:]
        inputs = kept[:count] if mode == "recompute" else (None,) * count
        of_networks = kept[-count:] if few(config.steps) else (None,) * count
        of_parts = [
            _step_back(own, *part, config)
            for part in zip(inputs, outputs, of_networks, of_outputs, of_log_dets, strict=True)
        ]
        xs, of_xs, of_own = zip(*of_parts, strict=True)
        return (*xs, *of_xs), {name: tf.add_n([part[name] for part in of_own]) for name in names}

    state, gradients = scan_back(weights, body, (*split(y), *split(of_y)), names, kept)
    return joined(state[count:]), *gradients.values()


def _step_back(
    own: Weights, x: Any | None, y: Any, h: Any | None, of_y: Any, of_log_det: Any, config: GlowConfig
) -> tuple[Any, Any, dict[str, Any]]:
    """The input of a step, and the gradients by the input and by the weights.

    Args:
        own: the weights of the step.
        x: the input; None to recover it from the output.
        y: the output.
        h: the output of the network; None to compute it.
        of_y: the gradient by the output.
        of_log_det: the gradient by the log-determinant.
        config: of the flow.
    """
    x_a, y_b = coupling.halves(y if x is None else step.mix(own, x))
    inside = {name: weight for name, weight in own.items() if name not in (*_LINEAR, "linear/inverse")}
    with tf.GradientTape() as network_tape:
        network_tape.watch((x_a, inside))
        computed = network.apply(inside, x_a, config)
    # TensorFlow drops the last convolution from the graph if the known output serves instead.
    h = computed if h is None else h
    x_b = coupling.invert(h, y_b, config) if x is None else y_b
    with tf.GradientTape() as transform_tape:
        transform_tape.watch((h, x_b))
        outputs = coupling.transform(h, x_b, config)
    zero = tf.UnconnectedGradients.ZERO
    of_a, of_b = coupling.halves(of_y)
    of_h, of_x_b = transform_tape.gradient(outputs, (h, x_b), (of_b, of_log_det), zero)
    of_x_a, of_inside = network_tape.gradient(computed, (x_a, inside), of_h, zero)
    if x is None:
        x = step.unmix(own, tf.concat([x_a, x_b], -1))
    of_x, of_linear = _mix_gradient(own, x, tf.concat([of_a + of_x_a, of_x_b], -1))
    return x, of_x, of_inside | of_linear


def _mix_gradient(own: Weights, x: Any, of_mixed: Any) -> tuple[Any, dict[str, Any]]:
    """The gradients of the linear map. TensorFlow drops the product itself from the graph, since nothing uses it."""
    linear = {name: own[name] for name in _LINEAR}
    with tf.GradientTape() as tape:
        tape.watch((x, linear))
        mixed = step.mix(linear, x)
    of_x, of_linear = tape.gradient(mixed, (x, linear), of_mixed)
    return of_x, of_linear
