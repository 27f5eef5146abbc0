"""A network whose layers can be embedded: several layers in one pass, by a runtime, in a precision."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.interface import Model, Output, in_whole_batches
from simtool.models.pooling import Pool, Pooling, refuse_surprise, split_layer, with_pooling
from simtool.models.runtimes import BFLOAT16, FLOAT32, Execution, Run
from simtool.system.processor import has_bfloat16
from simtool.text import counted

__all__ = ["COLORS", "Network", "Tap", "divides_bytes", "fitted", "image_sides", "scales_itself"]

#: Images on which bfloat16 is compared with float32.
_COMPARED = 32
#: Channels of an image.
COLORS = 3
#: The least number that a division of bytes has. A division by a standard deviation of colors from 0 to 1 has less.
_BYTES = 16


@dataclass(frozen=True)
class Tap:
    """A layer of a network, and how its maps become vectors.

    Attributes:
        name: the full name of the layer in the network.
        pooling: of its maps.
    """

    name: str
    pooling: Pooling

    @property
    def label(self) -> str:
        """The layer in reports: ``conv4 (mean+std, window 0.5)``."""
        return f"{self.name} ({self.pooling.label})" if self.pooling.label else self.name

    def __str__(self) -> str:
        return with_pooling(self.name, self.pooling)


class Network(Model):
    """A network whose layers can be embedded.

    Attributes:
        name: of the network in reports.
        batch: images that the network takes at once.
        execution: how it is computed.
    """

    name: str
    batch: int = 32
    execution: Execution = Execution()
    #: The last combination of layers, and how it is computed.
    _last: tuple[tuple[Tap, ...], Run] | None = None

    @property
    @abstractmethod
    def names(self) -> Collection[str]:
        """The full names of all layers."""

    @abstractmethod
    def full_name(self, name: str | None) -> str:
        """The full name of a layer; None for the default layer.

        Raises:
            ModelError: the network has no such layer.
        """

    @abstractmethod
    def map_shape(self, name: str) -> tuple[int, ...]:
        """The shape of the map of a layer for one image, by its full name.

        Raises:
            ModelError: the layer gives no numbers of a fixed shape.
        """

    def channels(self, name: str) -> int:
        """The axis of the channels in a batch of maps of a layer, by its full name."""
        return len(self.map_shape(name))

    def map_before(self, name: str) -> str:  # noqa: ARG002
        """The layer with the last map before a layer without one, for messages; empty if it is not known."""
        return ""

    @abstractmethod
    def compiled(self, taps: tuple[Tap, ...], precision: str) -> Run:
        """Prepare the computation of some layers.

        Raises:
            ModelError: the runtime is not installed, or cannot compute the network.
        """

    def tap(self, layer: str | None) -> Tap:
        """The layer and the pooling that a name states; None for the default layer.

        Raises:
            ModelError: the network has no such layer.
            UsageError: it has no such pooling.
        """
        name, pooling = (layer, Pooling()) if layer is None or layer in self.names else split_layer(layer)
        if pooling.pool is Pool.SURPRISE:
            refuse_surprise(self.name)
        return Tap(self.full_name(name), pooling)

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        return self._tapped(self.tap(layer))

    def _tapped(self, tap: Tap) -> Output:
        shape, channels = self.map_shape(tap.name), self.channels(tap.name) - 1
        if tap.pooling.needs_map and math.prod(shape) == shape[channels]:
            shape, channels = (shape[channels],), 0  # one place is a vector
        try:
            found = tap.pooling.shape(shape, f"{tap.name} of {self.name}", channels)
        except ModelError as failure:
            before = self.map_before(tap.name)
            advice = (
                f"give --layer {before}, the last map before it"
                if before
                else "give a layer with a map, which --list-layers shows"
            )
            raise ModelError(f"{failure}, or {advice}") from failure
        return Output(f"{self.name} {tap.label}", found, layer=str(tap))

    def executed(self, execution: Execution) -> Self:
        """See :meth:`Model.executed`."""
        if execution.precision == BFLOAT16 and has_bfloat16() is False:
            console.warn("this processor has no instructions for bfloat16, which is not faster than float32 here")
        other = copy(self)
        other.execution, other._last = execution, None
        return other

    def with_xla(self) -> Self:
        """See :meth:`Model.with_xla`."""
        return self.executed(replace(self.execution, xla=True))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """See :meth:`Model.embed`."""
        (vectors,) = self.embed_layers(images, (layer,))
        return vectors

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """The vectors of several layers, in one pass through the network. See :meth:`Model.embed_layers`.

        With bfloat16, a note about the first batch tells how far its vectors are from those of float32.
        """
        taps = tuple(map(self.tap, layers))
        last = self._last  # once, because another thread may ask for other layers
        if last is None or last[0] != taps:
            last = self._last = (taps, self._prepared(taps, images[:_COMPARED]))
        return self._vectors(taps, last[1], images)

    def _prepared(self, taps: tuple[Tap, ...], images: NDArray[np.float32]) -> Run:
        """The computation of layers. With bfloat16, a note tells how far it moves the vectors of some images."""
        for tap in taps:
            self._note_window(tap)
        precision = self.execution.precision
        if precision == FLOAT32 or not len(images):
            return self.compiled(taps, precision)
        exact = self._vectors(taps, self.compiled(taps, FLOAT32), images)
        run = self.compiled(taps, precision)
        rounded = self._vectors(taps, run, images)
        for tap, one, other in zip(taps, exact, rounded, strict=True):
            apart = _one_minus_cosine(one, other)
            console.note(
                f"bfloat16: 1 - cosine with float32 is at most {apart.max():.1e}, on average {apart.mean():.1e}, on "
                f"the first {counted(len(images), 'images')} ({self.name} {tap.label})"
            )
        return run

    def _note_window(self, tap: Tap) -> None:
        """Tell if a map is so small that its window keeps all of it."""
        sides = list(self.map_shape(tap.name))
        del sides[self.channels(tap.name) - 1]
        if tap.pooling.window < 1 and all(tap.pooling.kept(side) == slice(0, side) for side in sides):
            console.note(
                f"the map of {tap.name} has only {' x '.join(map(str, sides))} places: --window "
                f"{tap.pooling.window:g} keeps all of them"
            )

    def _vectors(self, taps: Sequence[Tap], run: Run, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        dimensions = [self._tapped(tap).dimension for tap in taps]
        return in_whole_batches(run, images, self.batch, dimensions)


def _one_minus_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 - cosine of vectors (n, D) with the vectors of the same rows, from the squared distance of their directions."""
    with np.errstate(invalid="ignore"):  # the table refuses infinity, and names the images
        a, b = (
            vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)
            for vectors in (one.astype(np.float64), other.astype(np.float64))
        )
    halves: NDArray[np.float64] = ((a - b) ** 2).sum(axis=1) / 2
    return halves


def fitted(
    path: Path, preprocessing: Preprocessing, expected: tuple[int | None, int | None], size: int | None
) -> Preprocessing:
    """The preprocessing with the size that a network expects.

    Args:
        path: of the network, for the message.
        preprocessing: of images.
        expected: height and width that the network expects; None for any.
        size: height and width that the user asks for; None for the network's, else the preprocessing's.

    Raises:
        ModelError: the network expects another size, or no square.
    """
    sides = {size or preprocessing.shape[0] if side is None else side for side in expected}
    if len(sides) > 1 or (size and sides != {size}):
        raise ModelError(f"{path}: the network expects {expected[0]} by {expected[1]} pixels, not {size or 'a square'}")
    return preprocessing.adjusted(sides.pop())


def image_sides(path: Path, sides: Sequence[int | None], found: str) -> tuple[bool, tuple[int | None, int | None]]:
    """The layout of the images that a network takes.

    Args:
        path: of the network, for the message.
        sides: of its only input of real numbers, None for any length; empty if it has no such input.
        found: its inputs in words, for the message.

    Returns:
        Whether the channels come before height and width; and the height and the width, None for any.

    Raises:
        ModelError: the network takes no images, or the shape fits both orders.
    """
    wanted = "(batch, 3, height, width) or (batch, height, width, 3)"
    if len(sides) != 4 or COLORS not in sides[1::2]:
        raise ModelError(
            f"{path}: embed needs a network with one input of real numbers, {wanted}, not {found or 'none'}"
        )
    if sides[1] == sides[3]:
        raise ModelError(f"{path}: its input {found} can be {wanted}; export it with a larger size")
    first = sides[1] == COLORS
    return first, ((sides[2], sides[3]) if first else (sides[1], sides[2]))


def divides_bytes(numbers: Sequence[float], multiplied: bool) -> bool:
    """Whether an operation brings bytes to about 1: it divides by numbers of at least 16, or multiplies by inverses."""
    sizes = [abs(number) for number in numbers]
    return bool(sizes) and (max(sizes) * _BYTES <= 1 if multiplied else min(sizes) >= _BYTES)


def scales_itself(scaling: str, preprocessing: Preprocessing) -> str:
    """The note about a network that scales colors, after a preprocessing that scales them; ``scaling`` names where."""
    return (
        f"the network scales colors itself ({scaling}), and the preprocessing {preprocessing.name} scales them before; "
        "--recipe bytes gives the network the bytes of the image, from 0 to 255"
    )
