"""Batches that are all of one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["whole_batches"]


def whole_batches(rows: NDArray[np.float32], size: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Rows in batches of one size, the last filled up with zeros.

    One graph serves all of them, and what is computed of a row does not depend, in its last bits, on how many others
    it came with.

    Args:
        rows: (n, ...).
        size: of a batch.

    Yields:
        which rows they are, and (size, ...) values, of which the first belong to these rows.
    """
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        where = slice(start, start + len(some))
        if len(some) < size:
            filled = np.zeros((size, *rows.shape[1:]), rows.dtype)
            filled[: len(some)] = some
            some = filled
        yield where, some
