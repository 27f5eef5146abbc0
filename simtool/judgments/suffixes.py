"""Names of one image with and without the suffix of its file, as files of several people mix them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.ids import without_extension
from simtool.text import counted

__all__ = ["with_suffix"]


def with_suffix(images: NDArray[np.object_], positions: NDArray[np.int32]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Take a name without a suffix for the one name that has a suffix and else equals it, and say so.

    Args:
        images: (n,) the distinct names.
        positions: positions in ``images``, of any shape; -1 for an empty cell.

    Returns:
        The positions without those of shorter names, and sentences about what was changed.
    """
    longer: dict[str, list[int]] = {}
    for place, name in enumerate(images):
        if (stem := without_extension(name)) != name:
            longer.setdefault(stem, []).append(place)
    ones = {place: longer[name] for place, name in enumerate(images) if len(longer.get(name, ())) == 1}
    if not ones:
        return positions, ()
    target = np.append(np.arange(images.size, dtype=np.int32), np.int32(-1))
    for place, (one,) in ones.items():
        target[place] = one
    first = next(iter(ones))
    example = f"{images[first]} is {images[target[first]]}"
    names = counted(len(ones), "names")
    return target[positions], (f"took {names} without a suffix for the same with a suffix: {example}",)
