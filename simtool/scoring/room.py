"""The memory left for vectors: the limit of the user or of the machine, less the memory of the trials."""

from __future__ import annotations

from simtool.scoring.columns import least_memory
from simtool.scoring.distances import SimilarityError
from simtool.scoring.pairs import ComparedPairs
from simtool.system.memory import available_memory, used_memory

__all__ = ["room_for_vectors"]

#: The share of the free memory that is used by default.
_SHARE = 0.5
#: The free memory that is assumed if the system does not report it.
_UNKNOWN = 8 << 30


def room_for_vectors(trials: ComparedPairs, distances: int, memory: int | None = None) -> int:
    """The bytes that vectors and the work on them may take.

    Args:
        trials: the trials, with their pairs.
        distances: the number of distances.
        memory: the most bytes of this process; None for half of the free memory, or more if the trials need it.

    Raises:
        SimilarityError: the memory is too small; the message says how much is enough.
    """
    least = trials.footprint(distances) + least_memory(trials.used.size)
    allowed = _allowed(least) if memory is None else _left(least, memory)
    return allowed - trials.footprint(distances)


def _allowed(least: int) -> int:
    free = available_memory()
    free = _UNKNOWN if free is None else free
    if least > free:
        raise SimilarityError(
            f"these trials need {least / 1e6:,.0f} MB of memory, {free / 1e6:,.0f} MB are free; "
            "fewer trials or distances at a time need less"
        )
    return max(least, int(_SHARE * free))


def _left(least: int, memory: int) -> int:
    taken = used_memory()
    if taken + least > memory:
        # With a reserve for other uses of memory by the process.
        enough = -(-(taken + least) * 11 // 10 >> 20)
        raise SimilarityError(
            f"--memory is too little with {memory / 1e6:,.0f} MB: {taken / 1e6:,.0f} MB are in use already, and these "
            f"trials need {least / 1e6:,.0f} MB; --memory {enough}M would do"
        )
    return memory - taken
