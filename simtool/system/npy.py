"""The header of a ``.npy`` file from elsewhere."""

from __future__ import annotations

import math
import warnings
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["npy_header"]


def npy_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """What the header of a ``.npy`` file from elsewhere states, checked against what follows it.

    Args:
        file: from its beginning on; it is left at the values.
        size: of the file, in bytes.

    Returns:
        The shape, whether columns come first, and the type: numbers.

    Raises:
        ValueError: it is something else; says what.
    """
    if npy.read_magic(file) != (1, 0):
        raise ValueError("a header of another version")
    try:
        with warnings.catch_warnings(action="error"):
            shape, fortran, dtype = npy.read_array_header_1_0(file, max_header_size=1000)
    except ValueError:
        raise
    # numpy reads the header as a Python expression, and not all that can be wrong with one becomes a ValueError.
    except Exception as failure:
        raise ValueError(f"a header that cannot be read ({type(failure).__name__})") from failure
    if dtype.kind not in "biuf" or any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"an array of {dtype} of shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
    if (actual := size - file.tell()) != expected:
        raise ValueError(f"{actual:,} bytes of values, the header says {expected:,}")
    return shape, fortran, dtype
