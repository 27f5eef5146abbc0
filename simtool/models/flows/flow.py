"""The interface of a flow: the part of the package that does not depend on the kind of flow is written against it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.flows.config import FlowConfig, Mode
from simtool.models.flows.encoding import Encoding
from simtool.models.flows.taps import Tap
from simtool.training.arrays import Arrays, matched, to_arrays

__all__ = ["Flow"]


class Flow(ABC):
    """A bijection between images and latents, with the density that it gives to images.

    Args:
        config: the shape of the flow.
        seed: of the initial weights.
        dtype: of the weights, and of all arithmetic outside of the networks: float32 or float64.

    Attributes:
        config: the shape of the flow.
        variables: the trained weights by name, in a fixed order. The names of kernels end in ``/kernel``.
        constants: fixed values that are saved with the weights, by name.
    """

    config: FlowConfig
    variables: dict[str, Any]
    constants: dict[str, Any]

    def __init__(self, config: Any, seed: int = 0, dtype: str = "float32") -> None:
        self.config = config
        self._hold(self.initial(config, np.random.default_rng(seed), dtype), dtype)

    @classmethod
    def from_arrays(cls, config: Any, arrays: Arrays, dtype: str = "float32") -> Self:
        """Make a flow from the arrays of :meth:`to_arrays`, in any order.

        Raises:
            TrainingError: the names or the shapes are those of another configuration.
            ModelError: a value is not a finite number.
        """
        flow = cls.__new__(cls)
        flow.config = config
        flow._hold(_finite(matched(arrays, cls.shapes(config) | cls.constant_shapes(config))), dtype)
        return flow

    def to_arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Name and value of each weight and each constant. The values do not follow later changes of the weights."""
        return to_arrays(self.variables | self.constants)

    def _hold(self, arrays: Arrays, dtype: str) -> None:
        """Make one variable after the other as the arrays come: all arrays at once would need more memory."""
        trained, fixed = self.shapes(self.config), self.constant_shapes(self.config)
        held = {
            name: keras.Variable(array, dtype=dtype, trainable=name in trained, name=name.replace("/", "."))
            for name, array in arrays
        }
        self.variables = {name: held[name] for name in trained}
        self.constants = {name: held[name] for name in fixed}

    @staticmethod
    @abstractmethod
    def shapes(config: Any) -> dict[str, tuple[int, ...]]:
        """The shapes of all trained weights by name, in their order."""

    @staticmethod
    def constant_shapes(config: Any) -> dict[str, tuple[int, ...]]:
        """The shapes of all constants by name."""
        del config
        return {}

    @classmethod
    def count_parameters(cls, config: Any) -> int:
        """The number of trained values, without making the flow."""
        return sum(map(math.prod, cls.shapes(config).values()))

    @staticmethod
    @abstractmethod
    def initial(config: Any, generator: np.random.Generator, dtype: str) -> Iterator[tuple[str, NDArray[Any]]]:
        """The weights and constants of an untrained flow."""

    @abstractmethod
    def initialize(self, pieces: Sequence[Any]) -> None:
        """Set weights from images before training (data-dependent initialisation).

        All pieces, (b, size, size, channels) dequantized images each, are one batch.

        Raises:
            ModelError: images hold values that are not finite.
        """

    @abstractmethod
    def encode(
        self, x: Any, labels: Any | None = None, mode: Mode = "plain", weights: Mapping[str, Any] | None = None
    ) -> Encoding:
        """The latents of images.

        Args:
            x: (b, size, size, channels), dequantized.
            labels: (b,) int32 classes, for a flow with classes.
            mode: of backpropagation.
            weights: values to use instead of ``variables``, by name.
        """

    @abstractmethod
    def decode(
        self, standardized: Sequence[Any], labels: Any | None = None, weights: Mapping[str, Any] | None = None
    ) -> Any:
        """The images of standardized latents; the inverse of :meth:`encode`.

        Args:
            standardized: (b, h, w, c) per scale, the finest first.
            labels: (b,) int32, the classes by whose prior the deepest latents were standardized.
            weights: values to use instead of ``variables``, by name.

        Returns:
            (b, size, size, channels); values may lie outside of [-0.5, 0.5).
        """

    @abstractmethod
    def precise_weights(self) -> dict[str, Any]:
        """Weights for passes that will be inverted, with more digits where rounding would hurt the inverse."""

    @abstractmethod
    def tapped(
        self, x: Any, taps: Sequence[Tap], weights: Mapping[str, Any] | None = None
    ) -> tuple[Encoding, tuple[Any, ...]]:
        """The latents of images, and what taps take from couplings on the way. Nothing differentiates this pass.

        Args:
            x: (b, size, size, channels), dequantized.
            taps: of any levels and steps.
            weights: values to use instead of ``variables``, by name.

        Returns:
            The encoding, and for each tap what it takes from its steps, stacked: (steps, b, ...).
        """

    def class_log_probs(self, deepest: Any) -> Any:
        """Log-density log p(z | y) of deepest latents (b, h, w, c), not standardized, for each class: (b, classes)."""
        raise NotImplementedError  # only for flows with classes

    def within_classes(self) -> tuple[Any, Any]:
        """Mean over classes, and standard deviation within them, of each channel of the deepest latents, (c,) each."""
        raise NotImplementedError  # only for flows with classes

    def draw_latents(self, count: int, seed: int) -> list[NDArray[Any]]:
        """Random standard normal latents, (count, h, w, c) for each scale, the finest first."""
        generator, dtype = np.random.default_rng(seed), next(iter(self.variables.values())).dtype
        of_scales = map(self.config.scale_shape, range(1, self.config.levels + 1))
        return [generator.standard_normal((count, *shape)).astype(dtype) for shape in of_scales]


def _finite(arrays: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, array in arrays:
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ModelError(f"{name} holds values that are not finite")
        yield name, array
