"""Seeds without state: one for each step of a training, from the seed of the training alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["step_seed"]

_STREAMS = {"training": 0, "validation": 1}


def step_seed(seed: int, stream: Literal["training", "validation"], step: int) -> NDArray[np.int32]:
    """A seed for TensorFlow's stateless random numbers.

    Args:
        seed: of the training, not negative.
        stream: what it is for.
        step: of the training, or the validation batch.

    Returns:
        int32 (2,).
    """
    return np.random.SeedSequence((seed, _STREAMS[stream], step)).generate_state(2).view(np.int32)
