"""One step of the flow: actnorm, invertible 1x1 convolution, coupling (Kingma & Dhariwal, 2018, figure 2a).

Actnorm and convolution are linear in each pixel. Together they are one product with a matrix and one shift:
y = ((x + bias) exp(log_scale)) W^T = x A + c. Both directions use the same weights: A comes from the factors of W, its
inverse from triangular solves. ``prepare`` and ``inverse_matrix`` take any leading axes: one step, or all of a level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.backend import pulled_back
from simtool.models.flows.chain import Step
from simtool.models.flows.glow import actnorm, convolution, coupling, network
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.taps import Coupling

__all__ = ["GlowStep", "forward", "initial", "inverse_matrix", "mix", "prepare", "shapes", "unmix"]

#: Names of the prepared weights of the linear map. All other weights belong to the coupling network.
_LINEAR = ("linear/matrix", "linear/shift")


def shapes(channels: int, config: GlowConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the trained weights of one step, in their order."""
    return {
        **actnorm.shapes(channels),
        **convolution.shapes(channels),
        **network.shapes(*coupling.outputs(channels, config), config),
    }


def initial(
    channels: int, config: GlowConfig, generator: np.random.Generator
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """The weights of an untrained step, and its constants."""
    rotation, constants = convolution.initial(channels, generator)
    inside = network.initial(*coupling.outputs(channels, config), config, generator)
    return {**actnorm.initial(channels), **rotation, **inside}, constants


def prepare(weights: Mapping[str, Any], constants: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The weights of a step for :class:`GlowStep`.

    Returns:
        By name, A (..., c, c) and c (..., c) with y = x A + c for a pixel x in a row, and the weights of the coupling
        network (:func:`simtool.models.flows.glow.network.prepare`); and the log-determinant of one pixel (...,).
    """
    rotation = convolution.matrix(weights, constants)
    matrix = ops.expand_dims(ops.exp(weights["actnorm/log_scale"]), -1) * rotation
    shift = ops.squeeze(ops.expand_dims(weights["actnorm/bias"], -2) @ matrix, -2)
    log_det_of_pixel = actnorm.log_det(weights) + convolution.log_det(weights)
    return {"linear/matrix": matrix, "linear/shift": shift, **network.prepare(weights)}, log_det_of_pixel


def inverse_matrix(weights: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    """The inverse of A, (..., c, c): x = (y - c) A^-1.

    Computed in float64, which costs little. In float32, the rounding errors of the triangular solves would be most of
    the reconstruction error of a deep flow.
    """
    linear = {name: value for name, value in weights.items() if not name.startswith("coupling/")}
    exact, constants = ({n: ops.cast(value, "float64") for n, value in part.items()} for part in (linear, constants))
    scale = ops.expand_dims(ops.exp(-exact["actnorm/log_scale"]), -2)
    return ops.cast(convolution.inverse_matrix(exact, constants) * scale, weights["actnorm/log_scale"].dtype)


def mix(prepared: Mapping[str, Any], x: Any) -> Any:
    """Actnorm and convolution of (b, h, w, c)."""
    return _product(x, prepared["linear/matrix"]) + prepared["linear/shift"]


def unmix(prepared: Mapping[str, Any], y: Any) -> Any:
    """The inverse of :func:`mix`, with the matrix of :func:`inverse_matrix` as ``linear/inverse``."""
    return _product(y - prepared["linear/shift"], prepared["linear/inverse"])


class GlowStep(Step):
    """A step with the weights of :func:`prepare`. See :class:`Step`, as for the methods."""

    def __init__(self, config: GlowConfig) -> None:
        self._config = config

    def split(self, own: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        """See :meth:`Step.split`."""
        return coupling.halves(mix(own, x))

    def unsplit(self, own: Mapping[str, Any], x_a: Any, x_b: Any) -> Any:
        """See :meth:`Step.unsplit`."""
        return unmix(own, ops.concatenate([x_a, x_b], axis=-1))

    def split_gradient(self, own: Mapping[str, Any], x: Any, of_a: Any, of_b: Any) -> tuple[Any, dict[str, Any]]:
        """See :meth:`Step.split_gradient`. The compiler drops the product itself from the graph: nothing uses it."""
        linear = {name: own[name] for name in _LINEAR}
        _, through_mix = pulled_back(lambda x, linear: mix(linear, x), x, linear)
        of_x, of_linear = through_mix(ops.concatenate([of_a, of_b], axis=-1))
        return of_x, of_linear

    def join(self, own: Mapping[str, Any], x_a: Any, y_b: Any) -> Any:
        """See :meth:`Step.join`."""
        del own
        return ops.concatenate([x_a, y_b], axis=-1)

    def divide(self, own: Mapping[str, Any], y: Any) -> tuple[Any, Any]:
        """See :meth:`Step.divide`."""
        del own
        return coupling.halves(y)

    def hidden(self, own: Mapping[str, Any], x_a: Any) -> Any:
        """See :meth:`Step.hidden`."""
        return network.hidden(own, x_a, self._config)

    def output(self, own: Mapping[str, Any], hidden: Any) -> Any:
        """See :meth:`Step.output`."""
        return network.output(own, hidden)

    def seen(self, own: Mapping[str, Any], hidden: Any, h: Any, y: Any) -> Coupling:
        """See :meth:`Step.seen`."""
        del own
        return Coupling(ops.cast(hidden, y.dtype), coupling.log_det_by_place(h, self._config, y.dtype))

    def transform(self, h: Any, x_b: Any) -> tuple[Any, Any]:
        """See :meth:`Step.transform`."""
        return coupling.transform(h, x_b, self._config)

    def restore(self, h: Any, y_b: Any) -> Any:
        """See :meth:`Step.restore`."""
        return coupling.invert(h, y_b, self._config)

    def with_inverse(self, stacked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the inverse of each matrix. See :meth:`Step.with_inverse`.

        In float64: the rounding errors of these inverses in float32 would dominate those of the steps.
        """
        matrix = stacked["linear/matrix"]
        inverse = ops.cast(ops.linalg.inv(ops.cast(matrix, "float64")), matrix.dtype)
        return {**stacked, "linear/inverse": inverse}


def forward(weights: Mapping[str, Any], constants: Mapping[str, Any], x: Any, config: GlowConfig) -> tuple[Any, Any]:
    """One step towards the latents, (b, h, w, c), and its log-determinant for each image (b,)."""
    prepared, log_det_of_pixel = prepare(weights, constants)
    y, log_det, _ = GlowStep(config).apply(prepared, x)
    return y, log_det + x.shape[1] * x.shape[2] * log_det_of_pixel


def _product(x: Any, matrix: Any) -> Any:
    """The product of each pixel of (b, h, w, c) with a matrix (c, d), as one matrix product."""
    flat = ops.reshape(x, (-1, matrix.shape[0])) @ matrix
    return ops.reshape(flat, (-1, *x.shape[1:-1], matrix.shape[1]))
