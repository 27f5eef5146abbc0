"""Coupling: one half of the values is transformed, given the other (Kolesnikov et al., 2024, section 2).

y_a = x_a and y_b = s (x_b + t). A network computes (t, r) from x_a. The scale s is 2 sigmoid(r): 1 in an untrained
coupling, and never above 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from keras import ops

from simtool.models.flows import taps
from simtool.models.flows.backend import permuted
from simtool.models.flows.chain import Step
from simtool.models.flows.jet import network
from simtool.models.flows.jet.config import JetConfig

__all__ = ["INVERSE", "ORDER", "TOKENS", "Coupling"]

#: The names of the order of the values of an image, the given half first, and of the inverse of this permutation.
ORDER, INVERSE = "split/order", "split/inverse"
#: The name of the number of the token that lies at each patch.
TOKENS = "split/tokens"
#: The largest scale.
_LARGEST = 2.0

Weights = Mapping[str, Any]


class Coupling(Step):
    """A coupling as a step; its linear map is a permutation, which is undone after it. See :class:`Step`."""

    def __init__(self, config: JetConfig) -> None:
        self._config = config
        self._shape = config.level_shape(1)

    def split(self, own: Weights, x: Any) -> tuple[Any, Any]:
        """Two halves, (b, tokens, values / 2) each. See :meth:`Step.split`."""
        height, width, values = self._shape
        flat = ops.reshape(x, (-1, height * width * values))
        both = ops.reshape(permuted(flat, own[ORDER], own[INVERSE]), (-1, 2, height * width, values // 2))
        x_a, x_b = ops.unstack(both, 2, axis=1)
        return x_a, x_b

    def unsplit(self, own: Weights, x_a: Any, x_b: Any) -> Any:
        """See :meth:`Step.unsplit`."""
        height, width, values = self._shape
        flat = ops.reshape(ops.stack([x_a, x_b], axis=1), (-1, height * width * values))
        return ops.reshape(permuted(flat, own[INVERSE], own[ORDER]), (-1, *self._shape))

    def split_gradient(self, own: Weights, x: Any, of_a: Any, of_b: Any) -> tuple[Any, dict[str, Any]]:
        """See :meth:`Step.split_gradient`."""
        del x
        return self.unsplit(own, of_a, of_b), {}

    def join(self, own: Weights, x_a: Any, y_b: Any) -> Any:
        """See :meth:`Step.join`."""
        return self.unsplit(own, x_a, y_b)

    def divide(self, own: Weights, y: Any) -> tuple[Any, Any]:
        """See :meth:`Step.divide`."""
        return self.split(own, y)

    def hidden(self, own: Weights, x_a: Any) -> Any:
        """The tokens (b, tokens, width). See :meth:`Step.hidden`."""
        return network.hidden(own, x_a, self._config)

    def output(self, own: Weights, hidden: Any) -> Any:
        """See :meth:`Step.output`."""
        return network.output(own, hidden)

    def seen(self, own: Weights, hidden: Any, h: Any, y: Any) -> taps.Coupling:
        """Tokens at their patches, and the log-determinant where values are transformed. See :meth:`Step.seen`."""
        height, width, _ = self._shape
        tokens = ops.take(ops.cast(hidden, y.dtype), own[TOKENS], axis=1)
        log_scale = _log_scale(ops.cast(ops.split(h, 2, axis=-1)[1], y.dtype))
        log_det = ops.sum(self.unsplit(own, ops.zeros_like(log_scale), log_scale), axis=-1)
        return taps.Coupling(ops.reshape(tokens, (-1, height, width, tokens.shape[-1])), log_det)

    def transform(self, h: Any, x_b: Any) -> tuple[Any, Any]:
        """See :meth:`Step.transform`."""
        shift, raw = (ops.cast(part, x_b.dtype) for part in ops.split(h, 2, axis=-1))
        return (x_b + shift) * _scale(raw), ops.sum(_log_scale(raw), axis=(1, 2))

    def restore(self, h: Any, y_b: Any) -> Any:
        """See :meth:`Step.restore`."""
        shift, raw = (ops.cast(part, y_b.dtype) for part in ops.split(h, 2, axis=-1))
        return y_b / _scale(raw) - shift


def _scale(raw: Any) -> Any:
    return _LARGEST * ops.sigmoid(raw)


def _log_scale(raw: Any) -> Any:
    return ops.log_sigmoid(raw) + math.log(_LARGEST)
