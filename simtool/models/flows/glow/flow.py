"""The flow of Glow: levels of steps, squeezes and split priors (Kingma & Dhariwal, 2018, figure 2b)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.config import Mode
from simtool.models.flows.encoding import Encoding, Normal
from simtool.models.flows.flow import Flow
from simtool.models.flows.glow import convolution, coupling, level, prior, step
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.initialization import initialize_level
from simtool.models.flows.glow.squeeze import squeeze, unsqueeze
from simtool.models.flows.taps import Tap

__all__ = ["GlowFlow"]

Weights = Mapping[str, Any]
#: From the number of a level, its weights and constants and its input to its output and the log-determinant.
Forward = Callable[[int, Weights, Weights, Any], tuple[Any, Any]]


class GlowFlow(Flow):
    """The flow of Glow. See :class:`Flow`.

    Example:
        >>> from simtool.models.flows.glow.presets import PRESETS
        >>> flow = GlowFlow(PRESETS["tiny"].flow, seed=0)
        >>> encoding = flow.encode(np.zeros((1, *flow.config.shape), "float32"))
        >>> encoding.log_prob.shape
        TensorShape([1])

    References:
        Kingma & Dhariwal (2018). Glow: Generative flow with invertible 1x1 convolutions. arXiv:1807.03039.
    """

    config: GlowConfig

    @staticmethod
    def shapes(config: GlowConfig) -> dict[str, tuple[int, ...]]:
        """The weights of the K steps of a level are stacked. See :meth:`Flow.shapes`."""
        found: dict[str, tuple[int, ...]] = {}
        for number in range(1, config.levels + 1):
            stacked = step.shapes(config.level_shape(number)[-1], config)
            found.update({_name(number, name): (config.steps, *shape) for name, shape in stacked.items()})
            found.update({_name(number, name): shape for name, shape in prior.shapes(number, config).items()})
        return found

    @staticmethod
    def constant_shapes(config: GlowConfig) -> dict[str, tuple[int, ...]]:
        """Permutations and signs of the convolutions. See :meth:`Flow.constant_shapes`."""
        return {
            _name(number, name): (config.steps, *shape)
            for number in range(1, config.levels + 1)
            for name, shape in convolution.constant_shapes(config.level_shape(number)[-1]).items()
        }

    @staticmethod
    def initial(config: GlowConfig, generator: np.random.Generator, dtype: str) -> Iterator[tuple[str, NDArray[Any]]]:
        """Random rotations and kernels, one level at a time. See :meth:`Flow.initial`."""
        for number in range(1, config.levels + 1):
            channels = config.level_shape(number)[-1]
            of_step = step.shapes(channels, config) | convolution.constant_shapes(channels)
            stacked = {name: np.empty((config.steps, *shape), dtype) for name, shape in of_step.items()}
            for k in range(config.steps):
                weights, constants = step.initial(channels, config, generator)
                for name, value in (weights | constants).items():
                    stacked[name][k] = value
            for name in of_step:
                yield _name(number, name), stacked.pop(name)
            for name, value in prior.initial(number, config).items():
                yield _name(number, name), value

    def initialize(self, pieces: Sequence[Any]) -> None:
        """Set every actnorm. See :meth:`Flow.initialize`."""
        x = [ops.convert_to_tensor(piece, self.variables["level-1/actnorm/bias"].dtype) for piece in pieces]
        for number in range(1, self.config.levels + 1):
            stacked = self._level(self._tensors(None), number)
            found, x = initialize_level(*stacked, [squeeze(piece) for piece in x], self.config)
            for name, value in found.items():
                self.variables[_name(number, name)].assign(value)
            x = [coupling.halves(piece)[0] for piece in x]

    def encode(
        self, x: Any, labels: Any | None = None, mode: Mode = "plain", weights: Mapping[str, Any] | None = None
    ) -> Encoding:
        """See :meth:`Flow.encode`."""

        def forward(_: int, stacked: Weights, constants: Weights, x: Any) -> tuple[Any, Any]:
            return level.forward(stacked, constants, x, self.config, mode)

        return self._encoded(x, labels, weights, forward)

    def tapped(
        self, x: Any, taps: Sequence[Tap], weights: Mapping[str, Any] | None = None
    ) -> tuple[Encoding, tuple[Any, ...]]:
        """See :meth:`Flow.tapped`."""
        taken: dict[int, Any] = {}

        def forward(number: int, stacked: Weights, constants: Weights, x: Any) -> tuple[Any, Any]:
            own = {index: tap for index, tap in enumerate(taps) if tap.level == number}
            x, log_det, found = level.tapped(stacked, constants, x, self.config, list(own.values()))
            taken.update(zip(own, found, strict=True))
            return x, log_det

        encoding = self._encoded(x, None, weights, forward)
        return encoding, tuple(taken[index] for index in range(len(taps)))

    def _encoded(self, x: Any, labels: Any | None, weights: Mapping[str, Any] | None, forward: Forward) -> Encoding:
        weights = self._tensors(weights)
        x = ops.convert_to_tensor(x, next(iter(weights.values())).dtype)
        log_det: Any = 0.0
        latents, priors, log_priors = [], [], []
        for number in range(1, self.config.levels + 1):
            x, change = forward(number, *self._level(weights, number), squeeze(x))
            log_det = log_det + change
            if number < self.config.levels:
                x, leaving = coupling.halves(x)
                normal = prior.split(_of(weights, number), x, self.config)
                log_prior = normal.log_prob(leaving)
            else:
                leaving = x
                normal = prior.deepest(_of(weights, number), x, labels, self.config)
                log_prior = self._deepest_log_prior(_of(weights, number), normal, x, labels)
            latents.append(leaving)
            priors.append(normal)
            log_priors.append(log_prior)
        return Encoding(tuple(latents), tuple(priors), tuple(log_priors), log_det)

    def decode(
        self, standardized: Sequence[Any], labels: Any | None = None, weights: Mapping[str, Any] | None = None
    ) -> Any:
        """See :meth:`Flow.decode`."""
        weights = self._tensors(weights)
        dtype = next(iter(weights.values())).dtype
        *finer, deepest = (ops.convert_to_tensor(scale, dtype) for scale in standardized)
        x = prior.deepest(_of(weights, self.config.levels), deepest, labels, self.config).restore(deepest)
        for number in range(self.config.levels, 0, -1):
            if number < self.config.levels:
                leaving = prior.split(_of(weights, number), x, self.config).restore(finer[number - 1])
                x = ops.concatenate([x, leaving], axis=-1)
            x = unsqueeze(level.inverse(*self._level(weights, number), x, self.config))
        return x

    def class_log_probs(self, deepest: Any) -> Any:
        """See :meth:`Flow.class_log_probs`."""
        return prior.class_log_probs(_of(self._tensors(None), self.config.levels), deepest)

    def within_classes(self) -> tuple[Any, Any]:
        """See :meth:`Flow.within_classes`."""
        return prior.within_classes(_of(self._tensors(None), self.config.levels))

    def precise_weights(self) -> dict[str, Any]:
        """The linear maps of the steps in float64, all other weights as they are. See :meth:`Flow.precise_weights`.

        The values that pass from step to step are then float64, too. Each step rounds differently on the way there and
        on the way back, and later steps of a trained flow enlarge these errors. The networks, with most of the
        arithmetic, can stay in float32: their inputs are the same on both ways, to the last digit with few exceptions.
        """
        return {
            name: ops.cast(weight, "float64") if "/actnorm/" in name or "/convolution/" in name else weight
            for name, weight in self._tensors(None).items()
        }

    def _tensors(self, weights: Mapping[str, Any] | None) -> Mapping[str, Any]:
        chosen = self.variables if weights is None else weights
        return {name: ops.convert_to_tensor(value) for name, value in chosen.items()}

    def _level(self, weights: Mapping[str, Any], number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The stacked weights and constants of the steps of a level."""
        stacked = {name: weight for name, weight in _of(weights, number).items() if not name.startswith("prior/")}
        dtype = stacked["actnorm/bias"].dtype
        return stacked, {name: ops.cast(value, dtype) for name, value in _of(self.constants, number).items()}

    def _deepest_log_prior(self, weights: Mapping[str, Any], normal: Normal, z: Any, labels: Any | None) -> Any:
        if not self.config.classes or labels is not None:
            return normal.log_prob(z)
        # Without a label: p(z) = sum over y of p(z | y) / classes.
        return ops.logsumexp(prior.class_log_probs(weights, z), axis=1) - math.log(self.config.classes)


def _name(number: int, name: str) -> str:
    return f"level-{number}/{name}"


def _of(mapping: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The entries of a level, by their names within the level."""
    start = _name(number, "")
    return {name.removeprefix(start): value for name, value in mapping.items() if name.startswith(start)}
