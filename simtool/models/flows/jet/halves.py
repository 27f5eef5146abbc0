"""The two halves of a coupling: fixed orders of all values of an image (Kolesnikov et al., 2024, section 2).

Most couplings split the values of each patch: a random permutation says which half is given, and which is transformed.
Every few couplings, one splits the patches: a checkerboard, or every second column or row, and then the same with
exchanged halves. For the network of such a coupling, the two halves of the values of a patch are two tokens, so that
every coupling has as many tokens as there are patches, with half of the values each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.flows.jet.config import JetConfig

__all__ = ["orders", "permutations", "places"]

Indices = NDArray[np.int64]

#: For row and column of a patch: 0 where the patch is given.
_PATTERNS: tuple[Callable[[Indices, Indices], Indices], ...] = (
    lambda row, column: (row + column) % 2,
    lambda row, column: (row + column + 1) % 2,
    lambda row, column: column % 2 + 0 * row,
    lambda row, column: (column + 1) % 2 + 0 * row,
    lambda row, column: row % 2 + 0 * column,
    lambda row, column: (row + 1) % 2 + 0 * column,
)


def permutations(config: JetConfig, generator: np.random.Generator) -> Indices:
    """Random orders of the values of a patch for each coupling, (K, values); the given half comes first.

    The order of a coupling that splits the patches is 0, 1, 2, ...
    """
    values = config.level_shape(1)[-1]
    return np.stack(
        [
            np.arange(values) if _is_spatial(number, config) else generator.permutation(values)
            for number in range(config.steps)
        ]
    )


def orders(permutations: Indices, config: JetConfig) -> Indices:
    """The order of all values of an image for each coupling, (K, patches * values); the given half comes first.

    Args:
        permutations: of :func:`permutations`.
        config: of the flow.

    Raises:
        ModelError: they are no permutations.
    """
    if not np.array_equal(np.sort(permutations), np.broadcast_to(np.arange(permutations.shape[1]), permutations.shape)):
        raise ModelError("the order of the values of a patch is no permutation")
    height, width, values = config.level_shape(1)
    positions = np.arange(height * width * values).reshape(height * width, values)
    found = []
    for number, order in enumerate(permutations):
        if _is_spatial(number, config):
            found.append(positions[np.concatenate(_patches(number, config))].ravel())
        else:
            given, transformed = np.split(order, 2)
            found.append(np.concatenate([positions[:, given].ravel(), positions[:, transformed].ravel()]))
    return np.stack(found)


def places(number: int, config: JetConfig) -> Indices:
    """The patch at which each token of a coupling lies, (patches,).

    Where a coupling splits the patches, two tokens see the same patch: the first lies there, the second at the adjacent
    patch that both transform.
    """
    if _is_spatial(number, config):
        return np.stack(_patches(number, config), axis=1).ravel()
    height, width, _ = config.level_shape(1)
    return np.arange(height * width)


def _is_spatial(number: int, config: JetConfig) -> bool:
    return config.spatial_every > 0 and (number + 1) % config.spatial_every == 0


def _patches(number: int, config: JetConfig) -> tuple[Indices, Indices]:
    """The patches that are given, and those that are transformed, (patches / 2,) each, row by row."""
    height, width, _ = config.level_shape(1)
    pattern = _PATTERNS[number // config.spatial_every % len(_PATTERNS)]
    of_patches = pattern(*np.indices((height, width))).ravel()
    return np.flatnonzero(of_patches == 0), np.flatnonzero(of_patches)
