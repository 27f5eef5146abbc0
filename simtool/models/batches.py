"""Computations in batches of one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_whole_batches"]


def in_whole_batches(
    compute: Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]],
    rows: NDArray[np.float32],
    size: int,
    dimensions: Sequence[int],
) -> list[NDArray[np.float32]]:
    """Compute vectors of rows in batches of one size; zeros fill the last batch.

    All batches use one graph, and the last bits of a row's result do not depend on the number of rows.

    Args:
        compute: from (size, ...) rows to one array (size, D) for each dimension D.
        rows: (n, ...).
        size: of a batch.
        dimensions: the length D of the vectors of each array.

    Returns:
        One array (n, D) for each dimension.
    """
    results = [np.empty((len(rows), dimension), np.float32) for dimension in dimensions]
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        if missing := size - len(batch):
            batch = np.concatenate([batch, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
        for result, vectors in zip(results, compute(batch), strict=True):
            result[start : start + size] = vectors[: size - missing]
    return results
