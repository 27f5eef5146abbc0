"""Sums over the coordinates of each vector, collected while its columns are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.scoring import kernels
from simtool.scoring.columns import Columns
from simtool.scoring.spans import Span, spans
from simtool.tables.embeddings import Segment

__all__ = ["RowSums"]

#: Vectors whose largest value is outside these bounds are scaled, so that squares do not overflow or vanish.
_LARGEST, _SMALLEST = 2.0**100, 2.0**-100


class RowSums:
    """Sums of each of n vectors.

    The sums are valid after :meth:`add` has received every block.

    Args:
        columns: the vectors.
        segments: blocks do not mix these segments.

    Attributes:
        columns: the vectors.
        scale: the power of two by which all values are multiplied.
        unit: all values so far are whole multiples of it, less than 2^24; infinite if all are zero, 0 if there is none.
        tolerance: the largest relative error of a sum of positive terms, for any order of summation within a block.
    """

    def __init__(self, columns: Columns, segments: Sequence[Segment] = ()) -> None:
        self.columns, self._segments = columns, segments
        self.scale = _fitting_scale(columns.largest) if columns.dtype == np.float64 else 1.0
        self.unit = math.inf
        blocks = sum(1 for _ in spans(columns.dimension, columns.width, segments))
        self.tolerance = (min(columns.width, columns.dimension) + blocks + 8) * 2.0**-51
        self._origin = self._scaled(columns.read(0, 1))[:, 0].astype(np.float64)
        self._moments = np.zeros((columns.count, 3))

    def blocks(self) -> Iterator[tuple[Span, NDArray[Any]]]:
        """Read the vectors in blocks of columns, scaled."""
        for span in spans(self.columns.dimension, self.columns.width, self._segments):
            yield span, self._scaled(self.columns.read(span.start, span.stop))

    def add(self, block: NDArray[Any]) -> None:
        """Add the contribution of a block."""
        if self.unit:
            self.unit = kernels.finest_unit(block, self.unit)
        kernels.add_over_rows(block, self._origin, self._moments)

    def _scaled(self, block: NDArray[Any]) -> NDArray[Any]:
        return block if self.scale == 1 else block * self.scale

    @cached_property
    def norm(self) -> NDArray[np.float64]:
        """(n,) |x|."""
        return np.sqrt(self._moments[:, 0])

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(n,) the mean of the coordinates of x."""
        return self._origin + self._moments[:, 1] / self.columns.dimension

    @cached_property
    def deviation(self) -> NDArray[np.float64]:
        """(n,) |x - mean|; exactly 0 for a constant vector."""
        _, shifted, shifted_square = self._moments.T
        with np.errstate(all="ignore"):
            deviation: NDArray[np.float64] = np.sqrt(
                np.maximum(shifted_square - shifted**2 / self.columns.dimension, 0)
            )
        return deviation

    @cached_property
    def growth(self) -> NDArray[np.float64]:
        """(n,) the relative error of the deviation, divided by that of a sum, at most."""
        with np.errstate(all="ignore"):
            growth: NDArray[np.float64] = self._moments[:, 2] / self.deviation**2 + self.norm / self.deviation
        return growth

    def are_exact(self, weight: float = 1.0) -> bool:
        """Whether sums of squared differences times a weight are exact: whole numbers within double precision."""
        if not self.unit:
            return False
        length = float(self.norm.max()) / self.unit
        return 16 * (length * length + self.columns.dimension) * weight < 2.0**52


def _fitting_scale(largest: float) -> float:
    """The power of two that brings the largest value to the middle of the range of double precision."""
    if not largest or not math.isfinite(largest) or _SMALLEST <= largest <= _LARGEST:
        return 1.0
    return math.ldexp(1.0, min(-math.frexp(largest)[1], 1023))
