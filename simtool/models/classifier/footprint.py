"""How much memory a training takes, before it is begun."""

from __future__ import annotations

import math
from typing import Any

from simtool.training.devices import check_memory, smaller_batches
from simtool.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: TensorFlow itself, its threads and the program around it; and its graphs, for each layer. With these, the estimate
#: is 1 to 9 % above the peaks of ResNet50 at 64x64, 128x128 and 224x224, in batches of 16 to 64, and of ResNet20.
_BASE, _LAYER = 845_000_000, 1_000_000
#: The share of the layers' outputs that is alive at once: what the way back does not need is let go of.
_KEPT = 0.7
#: Copies of each trained value: itself, its gradient, the optimizer's two moments; the best weights so far.
_COPIES = 5


def training_bytes(network: Any, settings: Settings, decoded: int) -> int:
    """An estimate of the peak, from what a backward pass must keep of the layers' outputs.

    That is counted as float32 whatever the precision: batch normalization computes in float32, too.

    Args:
        network: a functional Keras model.
        settings: of the training.
        decoded: bytes of the decoded photographs.
    """
    values = sum(math.prod(weight.shape) for weight in network.weights)
    outputs = sum(math.prod(layer.output.shape[1:]) for layer in network.layers)
    copies = _COPIES + (1 if settings.ema else 0)
    graphs = _BASE + _LAYER * len(network.layers)
    return int(graphs + 4 * (values * copies + _KEPT * outputs * settings.batch_size) + decoded)


def check_room(network: Any, settings: Settings, decoded: int, room: int | None) -> None:
    """Refuse a training that will not fit in memory, before hours are spent on it.

    Args:
        network: a functional Keras model.
        settings: of the training.
        decoded: bytes of the decoded photographs.
        room: bytes that may be taken; None where nobody knows.

    Raises:
        ModelError: says what would fit.
    """
    check_memory(
        training_bytes(network, settings, decoded),
        room,
        (
            (f"--batch-size {size}", training_bytes(network, settings.changed(batch_size=size), decoded))
            for size in smaller_batches(settings.batch_size)
        ),
        "only a smaller network or a smaller --size would fit",
    )
