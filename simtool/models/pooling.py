"""Pooling: how a map of activations becomes a vector.

A layer can state its pooling after its name: ``conv4_block6_out:pool=mean+std,window=0.5``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from simtool.errors import UsageError, listed
from simtool.models.errors import ModelError

__all__ = ["FLAT", "Pool", "Pooling", "refuse_surprise", "split_layer", "stated_options", "with_pooling"]

#: The short form of ``:pool=flat`` after the name of a layer.
FLAT = ":flat"
_OPTIONS = re.compile(r":((?:pool|window)=[^:,]*(?:,(?:pool|window)=[^:,]*)*)$")


class Pool(StrEnum):
    """The numbers that are kept of the values of a channel at all places of a map."""

    MEAN = "mean"
    MEAN_STD = "mean+std"
    MAX = "max"
    FLAT = "flat"
    SURPRISE = "surprise"


@dataclass(frozen=True)
class Pooling:
    """How a map of activations becomes a vector.

    Attributes:
        pool: ``mean``, ``max``, or ``mean+std``: all means, then all standard deviations, of each channel over the
            places of the map. ``flat`` keeps every value. ``surprise`` is ``mean+std``, where places with a long code
            weigh more; only flows have it.
        window: the central part of each side of the map that is used, above 0, at most 1.

    Raises:
        UsageError: the window is not in this range.
    """

    pool: Pool = Pool.MEAN
    window: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.window <= 1:
            raise UsageError(
                f"--window is the part of each side that is used, above 0 and at most 1, not {self.window}"
            )

    @classmethod
    def parse(cls, text: str) -> Pooling:
        """Read ``pool=mean+std,window=0.5``; either may be missing.

        Raises:
            UsageError: there is no such pooling, the window is not a number from 0 to 1, or an option occurs twice.
        """
        given = stated_options(text)
        window = given.get("window", "1")
        try:
            part = float(window)
        except ValueError:
            raise UsageError(f"--window is a number, not {window or 'nothing'}") from None
        return cls.of(given.get("pool"), part)

    @classmethod
    def of(cls, pool: str | None = None, window: float | None = None) -> Pooling:
        """The pooling of this name; None for the default.

        Raises:
            UsageError: there is no such pooling, or the window is not in its range.
        """
        if pool is not None and pool not in list(Pool):
            raise UsageError(f"--pool is {listed(Pool, 9)}, not {pool or 'nothing'}")
        return cls(Pool(pool or Pool.MEAN), 1.0 if window is None else float(window))

    def __str__(self) -> str:
        parts = ([] if self.pool is Pool.MEAN else [f"pool={self.pool}"]) + (
            [] if self.window == 1 else [f"window={self.window}"]
        )
        return ",".join(parts)

    @property
    def label(self) -> str:
        """The pooling in reports: ``mean+std, window 0.5``; empty for the mean of the whole map."""
        return str(self).removeprefix("pool=").replace("=", " ").replace(",", ", ")

    @property
    def statistics(self) -> tuple[str, ...]:
        """The names of the numbers that are kept of each channel; none if every value is kept."""
        return {
            Pool.MEAN: ("mean",),
            Pool.MAX: ("max",),
            Pool.MEAN_STD: ("mean", "std"),
            Pool.SURPRISE: ("mean", "std"),
        }.get(self.pool, ())

    @property
    def needs_map(self) -> bool:
        """Whether the pooling is for maps only. A vector is its own mean, and its own values."""
        return self.window < 1 or self.pool not in (Pool.MEAN, Pool.FLAT)

    def kept(self, side: int) -> slice:
        """The central pixels of a side that the window keeps: the nearest number that leaves equal margins."""
        margin = min(math.ceil((side - side * self.window) / 2 - 0.5), (side - 1) // 2)
        return slice(margin, side - margin)

    def shape(self, shape: Sequence[int], layer: str, channels: int = -1) -> tuple[int, ...]:
        """The shape of a vector of a map.

        Args:
            shape: of the map of one image, such as (h, w, c), (tokens, c) or (c,).
            layer: its name, for the message.
            channels: the axis of the channels.

        Raises:
            ModelError: the pooling is for maps, and this is a vector; or there is a window, but no height and width.
        """
        sides = [*shape[: channels % len(shape)], *shape[channels % len(shape) + 1 :]]
        if self.needs_map and not sides:
            raise ModelError(
                f"layer {layer} has no map, but a vector of {shape[0]:,} values; leave out --pool and --window"
            )
        if self.window < 1 and len(sides) != 2:
            raise ModelError(
                f"layer {layer} has no map of height and width, but {' x '.join(map(str, shape))} values; leave out "
                "--window"
            )
        if self.statistics:
            return (shape[channels] * len(self.statistics),)
        slices = self._slices(shape, channels % len(shape))
        return tuple(len(range(side)[one]) for side, one in zip(shape, slices, strict=True))

    def vectors(self, maps: Any, ops: Any, channels: int = -1) -> Any:
        """The vectors of maps.

        Args:
            maps: (b, h, w, c), (b, c), or any (b, ..., c) without a window.
            ops: the functions of the library of ``maps``: ``numpy``, ``keras.ops`` or
                :mod:`simtool.models.runtimes.graph_arrays`.
            channels: the axis of the channels, if it is not the last.

        Returns:
            (b, D) with the values in the order of :attr:`statistics`.
        """
        channels %= len(maps.shape)
        sides = tuple(axis for axis in range(1, len(maps.shape)) if axis != channels)
        if self.window < 1:
            maps = maps[(slice(None), *self._slices(maps.shape[1:], channels - 1))]
        if not sides or not self.statistics:
            return ops.reshape(maps, (maps.shape[0], math.prod(maps.shape[1:])))
        if self.pool is Pool.MAX:
            return ops.max(maps, axis=sides)
        if self.pool is Pool.MEAN:
            return ops.mean(maps, axis=sides)
        means = ops.mean(maps, axis=sides, keepdims=True)
        deviations = ops.sqrt(ops.mean(ops.square(maps - means), axis=sides))
        return ops.concatenate([ops.squeeze(means, axis=sides), deviations], axis=1)

    def _slices(self, shape: Sequence[int], channels: int) -> list[slice]:
        """The part of each axis of a map that the window keeps; ``channels`` is the axis of the channels."""
        return [slice(0, side) if axis == channels else self.kept(side) for axis, side in enumerate(shape)]


def stated_options(text: str) -> dict[str, str]:
    """Read ``name=value,name=value``: the options of a layer.

    Raises:
        UsageError: an option occurs twice.
    """
    options: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name in options:
            raise UsageError(f"{name} is stated twice, as {options[name]} and as {value}; state it once")
        if part:
            options[name] = value
    return options


def split_layer(layer: str) -> tuple[str, Pooling]:
    """Split ``NAME``, ``NAME:flat`` or ``NAME:pool=max,window=0.5`` into the name and the pooling.

    Raises:
        UsageError: there is no such pooling.
    """
    if layer.endswith(FLAT):
        return layer.removesuffix(FLAT), Pooling(Pool.FLAT)
    if found := _OPTIONS.search(layer):
        return layer[: found.start()], Pooling.parse(found[1])
    return layer, Pooling()


def refuse_surprise(name: str) -> NoReturn:
    """Refuse the pooling ``surprise`` for a model that is no flow; ``name`` names it.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"--pool {Pool.SURPRISE} is for flows, which know the length of a code, not for {name}")


def with_pooling(layer: str, pooling: Pooling) -> str:
    """The name of a layer with its pooling, as :func:`split_layer` reads it."""
    return f"{layer}:{pooling}" if str(pooling) else layer
