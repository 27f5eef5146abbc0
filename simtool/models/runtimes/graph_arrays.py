"""The functions of NumPy that poolings need, for arrays in a graph of OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["GraphArray", "concatenate", "max", "mean", "reshape", "sqrt", "square", "squeeze"]


@dataclass(frozen=True)
class GraphArray:
    """An array that a graph computes.

    Attributes:
        output: of an operation of OpenVINO, of fixed shape.
    """

    output: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sides."""
        return tuple(side.get_length() for side in self.output.partial_shape)

    def __getitem__(self, slices: tuple[slice, ...]) -> GraphArray:
        bounds = [one.indices(side)[:2] for one, side in zip(slices, self.shape, strict=True)]
        starts, stops = zip(*bounds, strict=True)
        return _computed("slice", self.output, list(starts), list(stops), [1] * len(bounds))

    def __sub__(self, other: GraphArray) -> GraphArray:
        return _computed("subtract", self.output, other.output)


def mean(array: GraphArray, axis: Sequence[int], keepdims: bool = False) -> GraphArray:
    """The mean over axes."""
    return _computed("reduce_mean", array.output, list(axis), keepdims)


def max(array: GraphArray, axis: Sequence[int]) -> GraphArray:  # noqa: A001 - the name in NumPy
    """The largest value over axes."""
    return _computed("reduce_max", array.output, list(axis), False)


def square(array: GraphArray) -> GraphArray:
    """The square of each value."""
    return _computed("multiply", array.output, array.output)


def sqrt(array: GraphArray) -> GraphArray:
    """The square root of each value."""
    return _computed("sqrt", array.output)


def squeeze(array: GraphArray, axis: Sequence[int]) -> GraphArray:
    """The array without axes of length 1."""
    return _computed("squeeze", array.output, list(axis))


def concatenate(arrays: Sequence[GraphArray], axis: int) -> GraphArray:
    """Arrays joined along an axis."""
    return _computed("concat", [array.output for array in arrays], axis)


def reshape(array: GraphArray, shape: Sequence[int]) -> GraphArray:
    """The values in another shape."""
    return _computed("reshape", array.output, list(shape), False)


def _computed(operation: str, *arguments: Any) -> GraphArray:
    from openvino import opset13

    return GraphArray(getattr(opset13, operation)(*arguments).output(0))
