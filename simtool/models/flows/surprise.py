"""Surprise: how many nats a flow needs for each place of an image, and means in which places weigh by it.

The code length of an image is -log p(x). It is a sum over the places of the finest level: at each place minus the
log-density of the latents that leave there, and minus the log-determinant of the couplings there. A place of a coarser
level covers several places of the finest level; its part is divided equally among them. All other parts are the same at
each place: the log-determinants of linear maps, and what a mixture of classes adds to the density.

The weight of a place is the part of its code length that exceeds the mean of the image: w = max(s - mean(s), 0). Only
differences between places count, since the parts that are the same everywhere say nothing about a place. Places that
the flow predicts better than the mean, such as an even background, have no weight. (Above the minimum of the image in
place of its mean, weights would depend on one place, and nearly all places would have about the same weight.) The mean
is that of the whole image: a window chooses places, and does not change their weights. A place of a coarser level has
the mean weight of the places that it covers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simtool.models.flows.taps import Coupling, Tap
from simtool.models.pooling import Pooling

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["code_lengths", "place_weights", "weighted_vectors"]


def code_lengths(flow: Flow, x: Any, weights: Mapping[str, Any] | None = None) -> Any:
    """The code length of each place in nats, (b, h, w) on the grid of the finest level. The sum of an image is -log p.

    Args:
        flow: any flow.
        x: (b, size, size, channels), dequantized.
        weights: of the flow; None for its ``variables``.
    """
    from keras import ops  # after TensorFlow

    taps = [Tap(level, range(1, count + 1), _log_det) for level, count in enumerate(flow.config.couplings, 1)]
    encoding, log_dets = flow.tapped(x, taps, weights)
    side = flow.config.level_shape(1)[0]
    log_prob: Any = 0.0
    for latents, prior, log_det in zip(encoding.latents, encoding.priors, log_dets, strict=True):
        log_prob = log_prob + _spread(prior.log_prob_by_place(latents) + ops.sum(log_det, axis=0), side, ops)
    same_everywhere = (encoding.log_prob - ops.sum(log_prob, axis=(1, 2))) / side**2
    return -(log_prob + same_everywhere[:, None, None])


def place_weights(lengths: Any, side: int, ops: Any) -> Any:
    """The weight of each place (b, side, side) of a level, from the code lengths (b, h, w) of the finest level.

    ``ops`` are the functions of the library of ``lengths``: ``numpy`` or ``keras.ops``.
    """
    excess = ops.maximum(lengths - ops.mean(lengths, axis=(1, 2), keepdims=True), 0)
    covered = lengths.shape[1] // side
    return ops.mean(ops.reshape(excess, (-1, side, covered, side, covered)), axis=(2, 4))


def weighted_vectors(maps: Any, weights: Any, pooling: Pooling, ops: Any) -> Any:
    """The weighted means of all channels, then their weighted standard deviations, over the window of a pooling.

    Args:
        maps: (b, h, w, c).
        weights: (b, h, w), at least 0. Places have equal weights if all weights of an image in the window are 0.
        pooling: its window.
        ops: the functions of the library of ``maps``: ``numpy`` or ``keras.ops``.

    Returns:
        (b, 2 c).
    """
    rows, columns = pooling.kept(maps.shape[1]), pooling.kept(maps.shape[2])
    maps, weights = maps[:, rows, columns], weights[:, rows, columns]
    total = ops.sum(weights, axis=(1, 2), keepdims=True)
    weights = ops.where(total > 0, weights, ops.ones_like(weights))
    shares = weights / ops.sum(weights, axis=(1, 2), keepdims=True)
    means = ops.einsum("bhw,bhwc->bc", shares, maps)
    squares = ops.square(maps - means[:, None, None])
    return ops.concatenate([means, ops.sqrt(ops.einsum("bhw,bhwc->bc", shares, squares))], axis=1)


def _log_det(coupling: Coupling) -> Any:
    return coupling.log_det


def _spread(places: Any, side: int, ops: Any) -> Any:
    """(b, side, side) from (b, h, w): the value of a place is divided among the places that it covers."""
    covers = side // places.shape[1]
    return ops.repeat(ops.repeat(places, covers, axis=1), covers, axis=2) / covers**2
