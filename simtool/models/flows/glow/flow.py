"""The flow: levels of steps, between them squeezes and splits (Kingma & Dhariwal, 2018, figure 2b)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.models.errors import ModelError
from simtool.models.flows.glow import convolution, coupling, level, network, prior, step
from simtool.models.flows.glow.config import FlowConfig
from simtool.models.flows.glow.prior import Normal
from simtool.models.flows.glow.squeeze import squeeze, unsqueeze

__all__ = ["Encoding", "Flow", "count_parameters", "shapes"]


class Encoding(NamedTuple):
    """Images as latents. Tuples have one entry per scale, from the finest to the deepest.

    Attributes:
        latents: (b, h, w, c) each.
        priors: the distribution of each.
        log_priors: (b,) each, the log-density of the latents under their prior; for a flow with classes and images
            without labels, the deepest is that of the mixture of all classes.
        log_det: (b,) log|det| of the Jacobian of the latents by the image.
    """

    latents: tuple[Any, ...]
    priors: tuple[Normal, ...]
    log_priors: tuple[Any, ...]
    log_det: Any

    @property
    def standardized(self) -> tuple[Any, ...]:
        """The latents in units of their priors' standard deviations, from their means."""
        return tuple(normal.standardize(z) for normal, z in zip(self.priors, self.latents, strict=True))

    @property
    def log_prob(self) -> Any:
        """The log-density of the images in nats, (b,)."""
        return self.log_det + sum(self.log_priors)


def shapes(config: FlowConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of all trained weights by name; those of the K steps of a level are stacked."""
    found: dict[str, tuple[int, ...]] = {}
    for number in range(1, config.levels + 1):
        stacked = step.shapes(config.level_shape(number)[-1], config)
        found.update({_name(number, name): (config.steps, *shape) for name, shape in stacked.items()})
        found.update({_name(number, name): shape for name, shape in prior.shapes(number, config).items()})
    return found


def _constant_shapes(config: FlowConfig) -> dict[str, tuple[int, ...]]:
    """The same of what is not trained."""
    return {
        _name(number, name): (config.steps, *shape)
        for number in range(1, config.levels + 1)
        for name, shape in convolution.constant_shapes(config.level_shape(number)[-1]).items()
    }


def count_parameters(config: FlowConfig) -> int:
    """The number of trained values, without building the flow."""
    return sum(math.prod(shape) for shape in shapes(config).values())


class Flow:
    """Glow: a bijection between images and latents, with the density that it gives to images.

    Args:
        config: its shape.
        seed: of the rotations and kernels that it starts with.
        dtype: of the weights, and of all arithmetic outside of the coupling networks: float32 or float64. For passes
            that are to be inverted there is :meth:`precise_weights`.

    Attributes:
        config: its shape.
        variables: the trained weights by name, in a fixed order.
        constants: what is fixed when it is built and must be kept with the weights: permutations and signs.

    Example:
        >>> from simtool.models.flows.glow.presets import FLOWS
        >>> flow = Flow(FLOWS["tiny"], seed=0)
        >>> encoding = flow.encode(np.zeros((1, *flow.config.shape), "float32"))
        >>> encoding.log_prob.shape
        TensorShape([1])

    References:
        Kingma & Dhariwal (2018). Glow: Generative flow with invertible 1x1 convolutions. arXiv:1807.03039.
    """

    def __init__(self, config: FlowConfig, seed: int = 0, dtype: str = "float32") -> None:
        self.config = config
        self._hold(_initial(config, np.random.default_rng(seed), dtype), dtype)

    @classmethod
    def from_arrays(
        cls, config: FlowConfig, arrays: Iterable[tuple[str, NDArray[Any]]], dtype: str = "float32"
    ) -> Flow:
        """The flow that :meth:`to_arrays` was asked of.

        Args:
            config: its shape.
            arrays: all weights and constants, in any order.
            dtype: as of a new flow.

        Raises:
            ModelError: they are those of another configuration, or not numbers.
        """
        flow = cls.__new__(cls)
        flow.config = config
        flow._hold(_checked(arrays, shapes(config) | _constant_shapes(config)), dtype)
        return flow

    def to_arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Name and value of each weight and each constant; views, which later changes leave as they are."""
        for name, variable in chain(self.variables.items(), self.constants.items()):
            yield name, np.asarray(ops.convert_to_tensor(variable))

    def _hold(self, arrays: Iterable[tuple[str, NDArray[Any]]], dtype: str) -> None:
        """Make the variables, one after the other as their arrays come: all of them at once would be the peak."""
        trained, fixed = shapes(self.config), _constant_shapes(self.config)
        held = {name: _variable(name, array, dtype, trainable=name in trained) for name, array in arrays}
        self.variables = {name: held[name] for name in trained}
        self.constants = {name: held[name] for name in fixed}

    def encode(
        self,
        x: Any,
        labels: Any | None = None,
        mode: level.Mode = "plain",
        weights: Mapping[str, Any] | None = None,
    ) -> Encoding:
        """The latents of images.

        Args:
            x: (b, size, size, channels), dequantised.
            labels: (b,) int32 classes, for a flow that has them.
            mode: what a gradient will cost, in memory or in time; see :mod:`simtool.models.flows.glow.level`.
            weights: other values for ``variables``, by name.
        """
        weights = self._tensors(weights)
        x = ops.convert_to_tensor(x, next(iter(weights.values())).dtype)
        log_det: Any = 0.0
        latents, priors, log_priors = [], [], []
        for number in range(1, self.config.levels + 1):
            x, change = level.forward(*self._level(weights, number), squeeze(x), self.config, mode)
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
        """The images of standardised latents; the inverse of :meth:`encode`.

        Args:
            standardized: (b, h, w, c) per scale, the finest first.
            labels: (b,) int32, the classes whose prior the deepest were standardised by.
            weights: other values for ``variables``, by name.

        Returns:
            (b, size, size, channels).
        """
        weights = self._tensors(weights)
        dtype = next(iter(weights.values())).dtype
        *others, deepest = (ops.convert_to_tensor(scale, dtype) for scale in standardized)
        x = prior.deepest(_of(weights, self.config.levels), deepest, labels, self.config).restore(deepest)
        for number in range(self.config.levels, 0, -1):
            if number < self.config.levels:
                leaving = prior.split(_of(weights, number), x, self.config).restore(others[number - 1])
                x = ops.concatenate([x, leaving], axis=-1)
            x = unsqueeze(level.inverse(*self._level(weights, number), x, self.config))
        return x

    def sample(
        self,
        count: int,
        temperature: float,
        seed: int,
        labels: Any | None = None,
        weights: Mapping[str, Any] | None = None,
    ) -> Any:
        """Draw images.

        Args:
            count: how many.
            temperature: factor on the standard deviation of every prior; 1 for the density that was learned.
            seed: of the latents.
            labels: (count,) int32 classes, for a flow that has them.
            weights: other values for ``variables``, by name.

        Returns:
            (count, size, size, channels); values may lie outside of [-0.5, 0.5).
        """
        return self.decode([temperature * scale for scale in self.draw(count, seed)], labels, weights)

    def draw(self, count: int, seed: int) -> list[NDArray[Any]]:
        """Standard normal latents at random, (count, h, w, c) for each scale, the finest first."""
        generator = np.random.default_rng(seed)
        dtype = keras.backend.standardize_dtype(next(iter(self.variables.values())).dtype)
        of_scales = map(self.config.scale_shape, range(1, self.config.levels + 1))
        return [generator.standard_normal((count, *shape)).astype(dtype) for shape in of_scales]

    def activations(self, x: Any, weights: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        """What the last coupling network of each level sees in images, averaged over its pixels: (b, width) each."""
        weights = self._tensors(weights)
        x = ops.convert_to_tensor(x, next(iter(weights.values())).dtype)
        found = []
        for number in range(1, self.config.levels + 1):
            stacked, constants = self._level(weights, number)
            x, _ = level.forward(stacked, constants, squeeze(x), self.config, "plain")
            staying, _ = coupling.halves(x)  # which the last coupling passed on unchanged: its network's input
            last = {name: weight[-1] for name, weight in stacked.items()}
            hidden = ops.cast(network.hidden(last, staying, self.config), x.dtype)
            found.append(ops.mean(hidden, axis=(1, 2)))
            x = staying
        return tuple(found)

    def class_log_probs(self, deepest: Any, weights: Mapping[str, Any] | None = None) -> Any:
        """Density log p(z | y) of deepest latents (b, h, w, c), not standardised, for each class: (b, classes) nats."""
        return prior.class_log_probs(_of(self._tensors(weights), self.config.levels), deepest)

    def within_classes(self) -> tuple[Any, Any]:
        """Mean over classes, and standard deviation within them, of each channel of the deepest latents, (c,) each."""
        return prior.within_classes(_of(self._tensors(None), self.config.levels))

    def precise_weights(self) -> dict[str, Any]:
        """The weights for passes that are to be inverted: the linear maps of the steps in float64, the rest as it is.

        What passes from step to step is then float64, too. The two ways through a deep flow differ by what each step
        rounds, and trained steps enlarge what the ones before have rounded. Networks and what they give, with most of
        the arithmetic, can stay as they are: they see the same on both ways, to the last digit but for a few values.
        """
        return {
            name: ops.cast(weight, "float64") if "/actnorm/" in name or "/convolution/" in name else weight
            for name, weight in self._tensors(None).items()
        }

    def _tensors(self, weights: Mapping[str, Any] | None) -> Mapping[str, Any]:
        chosen = self.variables if weights is None else weights
        return {name: ops.convert_to_tensor(value) for name, value in chosen.items()}

    def _level(self, weights: Mapping[str, Any], number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The stacked weights and constants of a level's steps."""
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
    """The entries of a level, under their names within it."""
    start = _name(number, "")
    return {name.removeprefix(start): value for name, value in mapping.items() if name.startswith(start)}


def _checked(
    arrays: Iterable[tuple[str, NDArray[Any]]], expected: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays by name, each of its shape and all there."""
    missing = dict.fromkeys(expected)
    for name, array in arrays:
        if name not in expected:
            raise ModelError(f"the weights hold {name}, which such a flow does not have")
        if array.shape != expected[name]:
            raise ModelError(f"{name} has the shape {array.shape}, such a flow has {expected[name]}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ModelError(f"{name} holds values that are not finite")
        missing.pop(name, None)
        yield name, array
    if missing:
        raise ModelError(f"the weights lack {listed(missing)}")


def _variable(name: str, value: NDArray[Any], dtype: str, trainable: bool) -> Any:
    return keras.Variable(value, dtype=dtype, trainable=trainable, name=name.replace("/", "."))


def _initial(config: FlowConfig, generator: np.random.Generator, dtype: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """The weights and the constants of an untrained flow, a level at a time."""
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
