"""An estimate of the memory that training a flow needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from simtool.models.flows.config import MODES, Mode
from simtool.training.devices import check_memory, smaller_batches
from simtool.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: Bytes of TensorFlow with its graphs and threads, and of the rest of the program.
_BASE = 930_000_000
#: Copies of each trained value: the weight, its gradient, the two moments of the optimizer.
_COPIES = 4
#: Memory that the allocator holds after some steps, as a multiple of the memory in use.
_SLACK = 1.1
#: The shapes of the trained weights by name: :meth:`simtool.models.flows.flow.Flow.shapes`.
Shapes = Mapping[str, tuple[int, ...]]


def training_bytes(
    activations: Mapping[Mode, int], settings: Settings, mode: Mode, shapes: Shapes, decoded: int
) -> int:
    """Estimate the peak memory of a training; the estimate is a little above the peak.

    Args:
        activations: the most bytes per image, of kept activations and of the backward pass of a step, by mode.
        settings: of the training.
        mode: of backpropagation.
        shapes: of the weights.
        decoded: bytes of the decoded images.
    """
    sizes = {name: 4 * math.prod(shape) for name, shape in shapes.items()}
    copies = _COPIES + (1 if settings.ema else 0)
    # Only loops with a custom gradient need no copy of the weights for each step.
    copies += 1 if mode == "plain" else 0
    rows = settings.batch_size // settings.accumulate
    # While the gradients of the steps of a level are stacked, they are in memory twice.
    of_levels: Counter[str] = Counter()
    for name, size in sizes.items():
        of_levels[name.partition("/")[0]] += size
    # The gradients of a part are added, level by level, to those of the parts before.
    stacks = max(of_levels.values()) * (2 if settings.accumulate > 1 else 1)
    in_use = copies * sum(sizes.values()) + stacks + rows * activations[mode]
    # The best weights are read at the end: each array is in memory twice, as read and as a variable.
    return int(_SLACK * (_BASE + in_use) + 2 * max(sizes.values()) + decoded)


def check_room(
    activations: Mapping[Mode, int], settings: Settings, mode: Mode, shapes: Shapes, decoded: int, room: int | None
) -> None:
    """Refuse a training that will not fit in memory.

    ``room`` is the number of free bytes, or None if it is unknown. See :func:`training_bytes` for the other arguments.
    """
    needed = (
        (f"--backprop {other} {options}", training_bytes(activations, changed, other, shapes, decoded))
        for options, changed in smaller_batches(settings)
        for other in MODES[MODES.index(mode) :]
    )
    check_memory(needed, room, "only a smaller flow would fit: use fewer --steps, or less --width")
