"""Hidden activations of the couplings of a flow, as vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from simtool.models.flows.surprise import place_weights, weighted_vectors
from simtool.models.flows.taps import Coupling, Tap
from simtool.models.pooling import Pool, Pooling

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["HiddenMaps", "activations", "pooled"]


@dataclass(frozen=True)
class HiddenMaps:
    """The hidden activations of some couplings of a level, and their pooling.

    Attributes:
        level: from 1, the finest.
        steps: the couplings, from 1.
        pooling: of the map of each coupling.
    """

    level: int
    steps: range
    pooling: Pooling


def activations(
    flow: Flow,
    x: Any,
    wanted: Sequence[HiddenMaps],
    weights: Mapping[str, Any] | None = None,
    lengths: Any | None = None,
) -> tuple[Any, ...]:
    """Vectors of hidden activations, in one pass. The maps of one coupling at a time are in memory.

    Args:
        flow: any flow.
        x: (b, size, size, channels), dequantized.
        wanted: maps of any couplings.
        weights: of the flow; None for its ``variables``.
        lengths: (b, h, w), the code lengths of :mod:`simtool.models.flows.surprise`, for the pooling ``surprise``.

    Returns:
        For each of ``wanted`` the vectors of its couplings, (steps, b, D).
    """
    from keras import ops  # after TensorFlow

    def take(maps: HiddenMaps, coupling: Coupling) -> Any:
        own = None if lengths is None else ops.cast(lengths, coupling.hidden.dtype)
        return pooled(coupling.hidden, maps.pooling, own, ops)

    return flow.tapped(x, [Tap(maps.level, maps.steps, partial(take, maps)) for maps in wanted], weights)[1]


def pooled(maps: Any, pooling: Pooling, lengths: Any | None, ops: Any) -> Any:
    """The vectors (b, D) of maps (b, h, w, c) of any level. ``ops`` is ``numpy`` or ``keras.ops``, as for the maps.

    See :func:`activations` for the code lengths.
    """
    if pooling.pool is not Pool.SURPRISE:
        return pooling.vectors(maps, ops)
    return weighted_vectors(maps, place_weights(lengths, maps.shape[1], ops), pooling, ops)
