"""How much memory the training of a flow takes, before it is begun."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from simtool.models.flows.glow.config import MODES, FlowConfig, Mode
from simtool.training.devices import check_memory, smaller_batches
from simtool.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: TensorFlow itself with its graphs and threads, and the program around it.
_BASE = 930_000_000
#: Copies of each trained value: itself, its gradient, the optimizer's two moments.
_COPIES = 4
#: What a step works with on the way back, as a multiple of what it keeps: gradients, and what convolutions take.
_AT_WORK = 4
#: What the allocator holds on to between the pieces in use, after some steps: of what is in use.
_SLACK = 1.1
#: Shapes of the trained weights by name, as :func:`simtool.models.flows.glow.flow.shapes` gives them.
Shapes = Mapping[str, tuple[int, ...]]


def training_bytes(config: FlowConfig, settings: Settings, mode: Mode, shapes: Shapes, decoded: int) -> int:
    """An estimate of the peak, a little above it.

    Args:
        config: of the flow.
        settings: of the training.
        mode: of backpropagation.
        shapes: of its weights.
        decoded: bytes of the decoded photographs.
    """
    sizes = {name: 4 * math.prod(shape) for name, shape in shapes.items()}
    copies = _COPIES + (1 if settings.ema else 0)
    # Without a loop that is differentiated by hand, each step keeps its own copy of its weights.
    copies += 1 if mode == "plain" else 0
    # The gradients of a level are there twice while those of its steps are stacked.
    of_levels: Counter[str] = Counter()
    for name, size in sizes.items():
        of_levels[name.partition("/")[0]] += size
    in_use = copies * sum(sizes.values()) + max(of_levels.values()) + settings.batch_size * _activations(config, mode)
    # The best weights are read at the end: of each array what is in the file, and what becomes the variable.
    return int(_SLACK * (_BASE + in_use) + 2 * max(sizes.values()) + decoded)


def _activations(config: FlowConfig, mode: Mode) -> int:
    """Bytes that one image keeps until its gradient, and that a step works with, where both together are the most."""
    inside = 4 if config.compute_dtype == "float32" else 2
    kept, most = 0, 0
    for level in range(1, config.levels + 1):
        height, width, channels = config.level_shape(level)
        # A step keeps the two hidden layers of its network, and a few values of the size of its input.
        step = height * width * (2 * config.width * inside + 8 * channels * 4)
        boundary = height * width * channels * 4
        kept += {"plain": config.steps * step, "recompute": config.steps * boundary, "reversible": boundary}[mode]
        # On the way back, what the deeper levels kept is gone already.
        most = max(most, kept + _AT_WORK * step)
    return most


def check_room(
    config: FlowConfig, settings: Settings, mode: Mode, shapes: Shapes, decoded: int, room: int | None
) -> None:
    """Refuse a training that will not fit in memory, before hours are spent on it.

    Args:
        config: of the flow.
        settings: of the training.
        mode: of backpropagation.
        shapes: of its weights.
        decoded: bytes of the decoded photographs.
        room: bytes that may be taken; None where nobody knows.

    Raises:
        ModelError: says what would fit.
    """
    check_memory(
        training_bytes(config, settings, mode, shapes, decoded),
        room,
        (
            (
                f"--backprop {other} --batch-size {size}",
                training_bytes(config, settings.changed(batch_size=size), other, shapes, decoded),
            )
            for size in (settings.batch_size, *smaller_batches(settings.batch_size))
            for other in MODES[MODES.index(mode) :]
        ),
        "only a smaller flow would fit: take fewer --steps, or less --width",
    )
