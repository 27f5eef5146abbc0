"""How much memory is left for vectors: what a person allows or the machine has, less what the trials take."""

from __future__ import annotations

from simtool.similarity.columns import least_memory
from simtool.similarity.distances import SimilarityError
from simtool.similarity.pairs import TrialPairs
from simtool.system.memory import available_memory
from simtool.system.usage import used_memory

__all__ = ["room_for_vectors"]

#: The share of the free memory that is taken where nothing is said.
_SHARE = 0.5
#: What is taken to be free where the system does not tell.
_UNKNOWN = 8 << 30


def room_for_vectors(trials: TrialPairs, distances: int, memory: int | None = None) -> int:
    """The bytes that vectors, and the work on them, may take.

    Args:
        trials: the trials, with their pairs.
        distances: how many are asked for.
        memory: bytes that this process may take in all; half of what is free where None.

    Raises:
        SimilarityError: too few; says how many would do.
    """
    taken = 0 if memory is None else used_memory()
    allowed = _free() if memory is None else memory
    needed = taken + trials.footprint(distances) + least_memory(trials.used.size)
    if needed > allowed:
        # Rounded up, with room for what the process takes besides in the meantime.
        enough = -(-needed * 11 // 10 >> 20)
        if memory is None:
            raise SimilarityError(
                f"{allowed / 1e6:,.0f} MB of memory may be used (half of what is free), and these trials need "
                f"{needed / 1e6:,.0f} MB; --memory {enough}M allows it, fewer distances or trials at a time take less"
            )
        raise SimilarityError(
            f"--memory is too little with {memory / 1e6:,.0f} MB: {taken / 1e6:,.0f} MB are in use already, and these "
            f"trials need {(needed - taken) / 1e6:,.0f} MB; --memory {enough}M would do"
        )
    return allowed - taken - trials.footprint(distances)


def _free() -> int:
    free = available_memory()
    return int(_SHARE * (_UNKNOWN if free is None else free))
