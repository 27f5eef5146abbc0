"""An estimate of the memory that training a Glow needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow.config import GlowConfig
from simtool.training.devices import check_memory, halved
from simtool.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: Bytes of TensorFlow with its graphs and threads, and of the rest of the program.
_BASE = 930_000_000
#: Copies of each trained value: the weight, its gradient, the two moments of the optimizer.
_COPIES = 4
#: Memory of the backward pass of a step, as a multiple of what the step keeps: gradients, and memory of convolutions.
_AT_WORK = 4
#: Memory that the allocator holds after some steps, as a multiple of the memory in use.
_SLACK = 1.1
#: The shapes of the trained weights by name: :meth:`simtool.models.flows.flow.Flow.shapes`.
Shapes = Mapping[str, tuple[int, ...]]


def training_bytes(config: GlowConfig, settings: Settings, mode: Mode, shapes: Shapes, decoded: int) -> int:
    """Estimate the peak memory of a training; the estimate is a little above the peak.

    ``shapes`` are those of the weights; ``decoded`` counts the bytes of the decoded images.
    """
    sizes = {name: 4 * math.prod(shape) for name, shape in shapes.items()}
    copies = _COPIES + (1 if settings.ema else 0)
    # Only loops with a custom gradient need no copy of the weights for each step.
    copies += 1 if mode == "plain" else 0
    # While the gradients of the steps of a level are stacked, they are in memory twice.
    of_levels: Counter[str] = Counter()
    for name, size in sizes.items():
        of_levels[name.partition("/")[0]] += size
    in_use = copies * sum(sizes.values()) + max(of_levels.values()) + settings.batch_size * _activations(config, mode)
    # The best weights are read at the end: each array is in memory twice, as read and as a variable.
    return int(_SLACK * (_BASE + in_use) + 2 * max(sizes.values()) + decoded)


def _activations(config: GlowConfig, mode: Mode) -> int:
    """The most bytes per image: of kept activations, and of the backward pass of a step."""
    inside = 4 if config.compute_dtype == "float32" else 2
    kept, most = 0, 0
    for level in range(1, config.levels + 1):
        height, width, channels = config.level_shape(level)
        # A step keeps the two hidden layers of its network, and a few arrays of the size of its input.
        step = height * width * (2 * config.width * inside + 8 * channels * 4)
        boundary = height * width * channels * 4
        kept += {"plain": config.steps * step, "recompute": config.steps * boundary, "reversible": boundary}[mode]
        # The backward pass has freed the memory of deeper levels by then.
        most = max(most, kept + _AT_WORK * step)
    return most


def check_room(
    config: GlowConfig, settings: Settings, mode: Mode, shapes: Shapes, decoded: int, room: int | None
) -> None:
    """Refuse a training that will not fit in memory.

    ``room`` is the number of free bytes, or None if it is unknown. See :func:`training_bytes` for the other arguments.
    """
    needed = (
        (f"--backprop {other} --batch-size {size}", training_bytes(config, changed, other, shapes, decoded))
        for size, changed in ((size, settings.changed(batch_size=size)) for size in halved(settings.batch_size))
        for other in MODES[MODES.index(mode) :]
    )
    check_memory(needed, room, "only a smaller flow would fit: use fewer --steps, or less --width")
