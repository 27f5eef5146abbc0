"""Data-dependent initialisation of a flow: its weights before training follow from images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from simtool.models.flows.dequantization import dequantize
from simtool.models.flows.flow import Flow

__all__ = ["initialize"]


def initialize(flow: Flow, batches: Iterable[Any], count: int, seed: int) -> None:
    """Initialise a flow from the first images of some batches. All of them are one batch for the flow.

    Args:
        flow: whose weights are set.
        batches: (b, height, width, 3) images each, from -0.5 to 0.5. A batch that is not needed is not read.
        count: number of images that are used, if there are so many.
        seed: of the noise of dequantization, which does not depend on the size of the batches.

    Raises:
        ModelError: images hold values that are not finite.
    """
    generator = np.random.default_rng(seed)
    pieces: list[Any] = []
    missing = count
    for batch in batches:
        images = batch[:missing]
        noise = generator.random(images.shape, np.float32)
        pieces.append(dequantize(images, flow.config.bits, noise))
        missing -= len(images)
        if missing <= 0:
            break
    flow.initialize(pieces)
