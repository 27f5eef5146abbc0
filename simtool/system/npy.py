"""Headers of ``.npy`` files that are not trusted."""

from __future__ import annotations

import math
import warnings
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

__all__ = ["npy_header"]


def npy_header(file: IO[bytes], size: int, kinds: str = "biuf") -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of an open ``.npy`` file at its beginning, and check it against the file size in bytes.

    Args:
        file: the open file.
        size: its size.
        kinds: the accepted kinds of type, as numpy abbreviates them; the default is numbers.

    Returns:
        The shape, whether the order is Fortran's, and a type of these kinds; the file is then at the first value.

    Raises:
        ValueError: the header is invalid or does not fit; the message gives the reason.
    """
    if npy.read_magic(file) != (1, 0):
        raise ValueError("a header of another version")
    try:
        with warnings.catch_warnings(action="error"):
            shape, fortran, dtype = npy.read_array_header_1_0(file, max_header_size=1000)
    # numpy parses the header as a Python expression: faults of any type, with messages that name objects of the parser.
    except Exception as failure:
        raise ValueError(f"a header that cannot be read ({type(failure).__name__})") from failure
    if dtype.kind not in kinds or any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"an array of {dtype} of shape {shape}")
    expected = math.prod(shape) * dtype.itemsize
    if (actual := size - file.tell()) != expected:
        raise ValueError(f"{actual:,} bytes of values, the header states {expected:,}")
    return shape, fortran, dtype
