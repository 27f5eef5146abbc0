"""An estimate of the memory that training a classifier needs."""

from __future__ import annotations

import math
from typing import Any

from simtool.training.devices import check_memory, smaller_batches
from simtool.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: Bytes of TensorFlow, its threads and the rest of the program; and bytes of its graphs for each layer. The estimate is
#: 1 to 9 % above the peaks of ResNet50 at 64x64, 128x128 and 224x224, in batches of 16 to 64, and of ResNet20.
_BASE, _LAYER = 845_000_000, 1_000_000
#: The share of the outputs of the layers that is in memory at the same time.
_KEPT = 0.7
#: Copies of each weight: the weight, its gradient, the two moments of the optimizer, the best weight so far.
_COPIES = 5
#: The least number of images of a part of a batch that is advised: batch normalization uses the statistics of a part.
_LEAST = 8


def training_bytes(network: Any, settings: Settings, decoded: int) -> int:
    """Estimate the peak memory of a training from the outputs of the layers, which a backward pass keeps.

    Outputs count as float32 at every precision, since batch normalization computes in float32. ``decoded`` counts the
    bytes of the decoded images.
    """
    values = sum(math.prod(weight.shape) for weight in network.weights)
    outputs = sum(math.prod(layer.output.shape[1:]) for layer in network.layers)
    # Gradients of a part are added to those of the parts before.
    copies = _COPIES + (1 if settings.ema else 0) + (1 if settings.accumulate > 1 else 0)
    rows = settings.batch_size // settings.accumulate
    graphs = _BASE + _LAYER * len(network.layers)
    return int(graphs + 4 * (values * copies + _KEPT * outputs * rows) + decoded)


def check_room(network: Any, settings: Settings, decoded: int, room: int | None) -> None:
    """Refuse a training that will not fit in memory.

    ``room`` is the number of free bytes, or None if it is unknown. See :func:`training_bytes` for the other arguments.
    """
    needed = (
        (options, training_bytes(network, changed, decoded)) for options, changed in smaller_batches(settings, _LEAST)
    )
    check_memory(needed, room, "only a smaller network or a smaller --size would fit")
