"""The flow of Jet: patches, and a chain of couplings (Kolesnikov et al., 2024)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.chain import Chain
from simtool.models.flows.config import Mode
from simtool.models.flows.encoding import Encoding, Normal
from simtool.models.flows.flow import Flow
from simtool.models.flows.jet import halves, network
from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.jet.coupling import INVERSE, ORDER, TOKENS, Coupling
from simtool.models.flows.jet.patches import from_patches, to_patches
from simtool.models.flows.taps import Tap
from simtool.training.arrays import Arrays

__all__ = ["JetFlow"]

_PERMUTATIONS = "permutations"
#: Images have values from -1/2 to 1/2. The couplings see them from -1 to 1, as in the reference implementation.
_RANGE = 2.0


class JetFlow(Flow):
    """The flow of Jet. See :class:`Flow`.

    Example:
        >>> from simtool.models.flows.jet.presets import PRESETS
        >>> flow = JetFlow(PRESETS["tiny"].flow, seed=0)
        >>> encoding = flow.encode(np.zeros((1, *flow.config.shape), "float32"))
        >>> encoding.log_prob.shape
        TensorShape([1])

    References:
        Kolesnikov, Pinto & Tschannen (2024). Jet: A modern transformer-based normalizing flow. arXiv:2412.15129.
    """

    config: JetConfig
    _fixed: dict[str, Any]

    @staticmethod
    def shapes(config: JetConfig) -> dict[str, tuple[int, ...]]:
        """The weights of the K couplings are stacked. See :meth:`Flow.shapes`."""
        return {name: (config.steps, *shape) for name, shape in network.shapes(config).items()}

    @staticmethod
    def constant_shapes(config: JetConfig) -> dict[str, tuple[int, ...]]:
        """The order of the values of a patch for each coupling. See :meth:`Flow.constant_shapes`."""
        return {_PERMUTATIONS: (config.steps, config.level_shape(1)[-1])}

    @staticmethod
    def initial(config: JetConfig, generator: np.random.Generator, dtype: str) -> Iterator[tuple[str, NDArray[Any]]]:
        """Random permutations and kernels. See :meth:`Flow.initial`."""
        yield _PERMUTATIONS, halves.permutations(config, generator).astype(dtype)
        stacked = {name: np.empty(shape, dtype) for name, shape in JetFlow.shapes(config).items()}
        for k in range(config.steps):
            for name, value in network.initial(config, generator).items():
                stacked[name][k] = value
        for name in list(stacked):
            yield name, stacked.pop(name)

    def _hold(self, arrays: Arrays, dtype: str) -> None:
        super()._hold(arrays, dtype)
        permutations = ops.convert_to_numpy(self.constants[_PERMUTATIONS]).astype(np.int64)
        order = halves.orders(permutations, self.config)
        tokens = [np.argsort(halves.places(number, self.config)) for number in range(self.config.steps)]
        fixed = {ORDER: order, INVERSE: np.argsort(order), TOKENS: np.stack(tokens)}
        self._fixed = {name: ops.convert_to_tensor(value) for name, value in fixed.items()}

    def initialize(self, pieces: Sequence[Any]) -> None:
        """Change nothing: no weight of a Jet is set from images. See :meth:`Flow.initialize`."""

    def encode(
        self, x: Any, labels: Any | None = None, mode: Mode = "plain", weights: Mapping[str, Any] | None = None
    ) -> Encoding:
        """See :meth:`Flow.encode`."""
        del labels
        chosen = self._tensors(weights)
        return self._encoding(*self._chain(chosen).forward(self._patches(x, chosen), mode))

    def tapped(
        self, x: Any, taps: Sequence[Tap], weights: Mapping[str, Any] | None = None
    ) -> tuple[Encoding, tuple[Any, ...]]:
        """See :meth:`Flow.tapped`."""
        chosen = self._tensors(weights)
        latents, change, taken = self._chain(chosen).tapped(self._patches(x, chosen), taps)
        return self._encoding(latents, change), taken

    def decode(
        self, standardized: Sequence[Any], labels: Any | None = None, weights: Mapping[str, Any] | None = None
    ) -> Any:
        """See :meth:`Flow.decode`."""
        del labels
        chosen = self._tensors(weights)
        (latents,) = standardized
        y = ops.convert_to_tensor(latents, chosen[network.LAST_BIAS].dtype)
        return from_patches(self._chain(chosen).inverse(y), self.config.patch) / _RANGE

    def precise_weights(self) -> dict[str, Any]:
        """The last bias of each network in float64, all other weights as they are. See :meth:`Flow.precise_weights`.

        The values that pass from coupling to coupling are then float64, too. The networks, with nearly all of the
        arithmetic, can stay in float32: their inputs are the same on both ways, to the last digit with few exceptions.
        """
        weights = dict(self._tensors(None))
        weights[network.LAST_BIAS] = ops.cast(weights[network.LAST_BIAS], "float64")
        return weights

    def _encoding(self, latents: Any, change: Any) -> Encoding:
        zeros = ops.zeros_like(latents)
        normal = Normal(zeros, zeros)
        log_det = change + self.config.dimension * math.log(_RANGE)
        return Encoding((latents,), (normal,), (normal.log_prob(latents),), log_det)

    def _patches(self, x: Any, weights: Mapping[str, Any]) -> Any:
        return to_patches(_RANGE * ops.convert_to_tensor(x, weights[network.LAST_BIAS].dtype), self.config.patch)

    def _chain(self, weights: Mapping[str, Any]) -> Chain:
        return Chain(Coupling(self.config), weights, self._fixed)

    def _tensors(self, weights: Mapping[str, Any] | None) -> Mapping[str, Any]:
        chosen = self.variables if weights is None else weights
        return {name: ops.convert_to_tensor(value) for name, value in chosen.items()}
