"""How much memory the training of a flow takes, before it is begun."""

from __future__ import annotations

from simtool.models.errors import ModelError
from simtool.models.glow.config import MODES, FlowConfig, Mode
from simtool.models.training.settings import Settings

__all__ = ["check_room", "training_bytes"]

#: TensorFlow itself with its graphs and threads, and the program around it. Measured: with it, the estimate for the
#: preset ``small`` in batches of 16 is within 8 % of the peaks of 1.34 GB (plain), 1.19 (recompute), 1.18 (reversible).
_BASE = 1_070_000_000
#: Copies of each trained value: itself, its gradient, the optimizer's two moments.
_COPIES = 4


def training_bytes(config: FlowConfig, settings: Settings, mode: Mode, parameters: int, decoded: int) -> int:
    """An estimate of the peak.

    Args:
        config: of the flow.
        settings: of the training.
        mode: of backpropagation.
        parameters: trained values.
        decoded: bytes of the decoded photographs.
    """
    copies = _COPIES + (1 if settings.ema else 0)
    return int(_BASE + 4 * parameters * copies + settings.batch_size * _activations(config, mode) + decoded)


def _activations(config: FlowConfig, mode: Mode) -> float:
    """Bytes that one image keeps until its gradient, and that its largest step works with."""
    inside = 4 if config.compute_dtype == "float32" else 2
    kept, largest = 0.0, 0.0
    for level in range(1, config.levels + 1):
        height, width, channels = config.level_shape(level)
        # A step keeps the two hidden layers of its network, and a few values of the size of its input.
        step = height * width * (2 * config.width * inside + 8 * channels * 4)
        boundary = height * width * channels * 4
        kept += {"plain": config.steps * step, "recompute": config.steps * boundary, "reversible": boundary}[mode]
        largest = max(largest, 2.0 * step)
    return kept + largest


def check_room(
    config: FlowConfig, settings: Settings, mode: Mode, parameters: int, decoded: int, room: int | None
) -> None:
    """Refuse a training that will not fit in memory, before hours are spent on it.

    Args:
        config: of the flow.
        settings: of the training.
        mode: of backpropagation.
        parameters: trained values.
        decoded: bytes of the decoded photographs.
        room: bytes that may be taken; None where nobody knows.

    Raises:
        ModelError: says what would fit.
    """
    needed = training_bytes(config, settings, mode, parameters, decoded)
    if room is None or needed <= room:
        return
    saying = f"this training needs about {needed / 1e9:.1f} GB of memory, {room / 1e9:.1f} GB are free"
    for batch_size in (settings.batch_size, *_smaller(settings.batch_size)):
        changed = settings.changed(batch_size=batch_size)
        for other in MODES[MODES.index(mode) :]:
            if training_bytes(config, changed, other, parameters, decoded) <= room:
                raise ModelError(f"{saying}; --backprop {other} --batch-size {batch_size} would fit")
    raise ModelError(f"{saying}; only a smaller flow would fit: take fewer --steps, or less --width")


def _smaller(batch_size: int) -> list[int]:
    """Half of it, a quarter, and so on down to 1."""
    return [batch_size >> halvings for halvings in range(1, batch_size.bit_length())]
