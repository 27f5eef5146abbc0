"""What to say where a training needs more memory than there is."""

from __future__ import annotations

from collections.abc import Iterable

from simtool.training.errors import TrainingError

__all__ = ["refuse_without_room", "smaller_batches"]


def refuse_without_room(needed: int, room: int | None, others: Iterable[tuple[str, int]], otherwise: str) -> None:
    """Refuse a training that will not fit in memory, before hours are spent on it.

    Args:
        needed: bytes, at the most.
        room: bytes that may be taken; None where nobody knows.
        others: options that take less, the likeliest first, and the bytes that each of them needs.
        otherwise: what would fit where none of them does.

    Raises:
        TrainingError: says what would fit.
    """
    if room is None or needed <= room:
        return
    fitting = next((f"{options} would fit" for options, taken in others if taken <= room), otherwise)
    raise TrainingError(
        f"this training needs about {needed / 1e9:.1f} GB of memory, {room / 1e9:.1f} GB are free; {fitting}"
    )


def smaller_batches(batch_size: int) -> list[int]:
    """Half of it, a quarter, and so on down to 1."""
    return [batch_size >> halvings for halvings in range(1, batch_size.bit_length())]
