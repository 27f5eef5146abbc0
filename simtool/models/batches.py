"""Batches of one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["whole_batches"]


def whole_batches(rows: NDArray[np.float32], size: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Split rows into batches of one size; zeros fill the last batch.

    All batches use one graph, and the last bits of a row's result do not depend on the number of rows.

    Args:
        rows: (n, ...).
        size: of a batch.

    Yields:
        The positions of the rows, and (size, ...) values, which begin with these rows.
    """
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        where = slice(start, start + len(some))
        if len(some) < size:
            filled = np.zeros((size, *rows.shape[1:]), rows.dtype)
            filled[: len(some)] = some
            some = filled
        yield where, some
