r"""Combinations: vectors whose distance is the sum of the standardized distances of several models.

For a distance d, the combination of M models has

    d(x, y) = sum over m of c_m d_m(x, y),    c_m = w_m / sd_m,

where d_m is the distance of model m, sd_m its standard deviation over the pairs of images, and w_m a weight. The means
of the distances are left out: they change no order. A vector of the combination joins the vectors of the models, each
scaled by its own factor. The distance of these vectors is the sum, for these reasons:

- ``mse`` divides the squared distance by the number of values: D_m in model m, D in the combination. The factor
  sqrt(c_m D / D_m) gives 1 / D * sum of c_m D / D_m \|x_m - y_m\|^2 = sum of c_m mse_m.
- ``mse/segments`` is an average over segments: S_m in model m, S in the combination. The factor sqrt(c_m S / S_m) gives
  1 / S * sum of c_m S / S_m * S_m d_m = sum of c_m d_m.
- ``manhattan`` is a sum of absolute differences of coordinates: the factor is c_m.
- ``dot`` is a sum of products of coordinates: the factor is sqrt(c_m).
- ``cosine``: each vector of a model first gets the length 1. Let q_m = c_m / (sum of c), so that the sum of q is 1.
  With the factors sqrt(q_m), the joined vectors have the length 1, and their inner product is the sum of q_m cos_m.
  Their cosine distance is 1 - sum of q_m cos_m = sum of q_m (1 - cos_m): the weighted mean of the cosine distances,
  which is the sum divided by one number for all pairs.
- ``correlation`` is the cosine of vectors less the mean of their values. Each part of a joined vector has the mean 0,
  and so has the joined vector: to subtract its mean again changes nothing.
- ``cosine/segments``: each segment gets the length 1, so that the inner product of two vectors, divided by S_m, is the
  average of the cosines. With the factors sqrt(q_m / S_m), the proof is that of ``cosine``. The joined vector is one
  segment. A segment of zeros has no direction, and is refused.

The sum of ``euclidean`` distances is in general no such distance of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.scoring.distances import SimilarityError
from simtool.scoring.spread import spreads
from simtool.tables.embeddings import EmbeddingTable, Segment
from simtool.text import counted
from simtool.transforms.standardization import Standardization

__all__ = ["ADDITIVE", "Combination", "Part", "blocks_of_rows", "combinations"]

#: Images, at most, whose pairs tell the standard deviation of a distance; and bytes of their vectors.
_IMAGES, _BYTES = 1000, 512 << 20
#: Bytes of the vectors that are combined at a time.
_BLOCK = 64 << 20

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class _Rule:
    """How the vectors of a model become a part of the vectors of a combination.

    Attributes:
        divisor: of the distance of vectors with some segments.
        power: of the coefficient c, in the factor.
        shifted: whether the distance depends on differences only: a shift of all vectors keeps it, and saves digits.
        directed: the directions of vectors, (n, D) to (n, D), if the distance is an angle; NaN without a direction.
        lacking: what vectors without a direction have.
    """

    divisor: Callable[[Sequence[Segment]], int] = lambda _: 1
    power: float = 0.5
    shifted: bool = False
    directed: Callable[[Vectors, Sequence[Segment]], Vectors] | None = None
    lacking: str = "only zeros"


def _values(segments: Sequence[Segment]) -> int:
    return sum(segment.length * segment.count for segment in segments)


def _segments(segments: Sequence[Segment]) -> int:
    return sum(segment.count for segment in segments)


def _whole(vectors: Vectors, segments: Sequence[Segment]) -> Vectors:  # noqa: ARG001 - as _by_segment
    """Vectors scaled to length 1."""
    return _unit(vectors)


def _around_mean(vectors: Vectors, segments: Sequence[Segment]) -> Vectors:  # noqa: ARG001 - as _by_segment
    """Vectors less the mean of their values, scaled to length 1."""
    constant = np.ptp(vectors, axis=1, keepdims=True) == 0
    return _unit(vectors - np.where(constant, vectors[:, :1], vectors.mean(axis=1, keepdims=True)))


def _by_segment(vectors: Vectors, segments: Sequence[Segment]) -> Vectors:
    """Vectors whose segments are scaled to length 1."""
    result, start = np.empty_like(vectors), 0
    for segment in segments:
        stop = start + segment.length * segment.count
        pieces = vectors[:, start:stop].reshape(len(vectors), segment.count, segment.length)
        result[:, start:stop] = _unit(pieces).reshape(len(vectors), -1)
        start = stop
    return result


def _unit(vectors: Vectors) -> Vectors:
    """Vectors along the last axis, scaled to length 1; NaN for vectors without a direction."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = vectors / np.abs(vectors).max(axis=-1, keepdims=True)
        unit: Vectors = scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)
    return unit


#: The distances whose sum is a distance of vectors.
ADDITIVE: dict[str, _Rule] = {
    "mse": _Rule(_values, shifted=True),
    "cosine": _Rule(directed=_whole),
    "mse/segments": _Rule(_segments, shifted=True),
    "cosine/segments": _Rule(_segments, directed=_by_segment, lacking="a segment of zeros"),
    "manhattan": _Rule(power=1.0, shifted=True),
    "dot": _Rule(),
    "correlation": _Rule(directed=_around_mean, lacking="all values equal"),
}


@dataclass(frozen=True)
class Part:
    """A model that a combination adds.

    Attributes:
        table: its vectors.
        rows: (n,) the rows of the images of the combination, in its order.
        weight: w, of its standardized distance.
        standardization: of its dimensions; None leaves them as they are.
    """

    table: EmbeddingTable
    rows: NDArray[np.intp]
    weight: float = 1.0
    standardization: Standardization | None = None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of a vector; without any, the vector is one."""
        info = self.table.info
        return info.segments or (Segment(info.name, info.dimension),)

    def read(self, images: NDArray[np.integer[Any]] | slice) -> Vectors:
        """Read the vectors of some images of the combination, (images, D)."""
        vectors: Vectors = self.table.read(self.rows[images], np.float64)
        return vectors if self.standardization is None else self.standardization.apply(vectors)


@dataclass(frozen=True)
class _Scaled:
    """A part with its factor.

    Attributes:
        part: the model.
        rule: of the distance.
        origin: (D,) subtracted from vectors that are shifted.
        factor: of the vectors, or of their directions.
    """

    part: Part
    rule: _Rule
    origin: Vectors
    factor: float

    def apply(self, vectors: Vectors, names: NDArray[np.object_]) -> Vectors:
        """Turn vectors of the model, (n, D), into parts of vectors of the combination."""
        if self.rule.shifted:
            return (vectors - self.origin) * self.factor
        if self.rule.directed is None:
            return vectors * self.factor
        directions = self.rule.directed(vectors, self.part.segments)
        if (bad := np.flatnonzero(np.isnan(directions).any(axis=1))).size:
            raise SimilarityError(
                f"{self.part.table.path}: no direction for {counted(bad.size, 'images')} whose vectors have "
                f"{self.rule.lacking}: {listed(names[bad])}; mse, manhattan and dot take them"
            )
        return directions * self.factor


@dataclass(frozen=True)
class Combination:
    """Vectors whose distance is the sum of standardized distances.

    Attributes:
        distance: its name.
        parts: the models, each with its factor.
        spread: the standard deviation of the distance of each model.
    """

    distance: str
    parts: tuple[_Scaled, ...]
    spread: tuple[float, ...]

    @property
    def dimension(self) -> int:
        """The number of values of a joined vector."""
        return sum(each.part.table.info.dimension for each in self.parts)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of a joined vector: see :func:`_joined`."""
        return _joined(self.distance, [each.part for each in self.parts])

    def join(self, vectors: Sequence[Vectors], names: NDArray[np.object_]) -> NDArray[np.float32]:
        """Join the vectors of the models.

        Args:
            vectors: (n, D_m) of each model, of the same images.
            names: (n,) the ids of the images.

        Returns:
            (n, D).

        Raises:
            SimilarityError: a vector has no direction, and the distance is an angle.
        """
        parts = [each.apply(own, names) for each, own in zip(self.parts, vectors, strict=True)]
        with np.errstate(over="ignore"):
            return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def combinations(
    parts: Sequence[Part],
    distances: Sequence[str],
    names: NDArray[np.object_],
    seed: int = 0,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[list[Combination], int]:
    """Find the factors of the combination of some models, for each distance.

    Args:
        parts: the models.
        distances: names in :data:`ADDITIVE`.
        names: (n,) the ids of the images.
        seed: of the sample of images whose pairs tell the standard deviations, if there are too many.
        advance: called with the number of columns after each block.

    Returns:
        The combinations, and the number of images whose pairs were measured.

    Raises:
        SimilarityError: a distance cannot be computed, or is the same for all pairs of images.
    """
    longest = max(part.table.info.dimension for part in parts)
    count = min(len(names), _IMAGES, max(2, _BYTES // (8 * longest)))
    images = np.sort(np.random.default_rng(seed).choice(len(names), count, replace=False))
    found, origins = [], []
    for part in parts:
        vectors = part.read(images)
        with np.errstate(over="ignore"):  # the next lines refuse such vectors, or need no origin
            origins.append(vectors.mean(axis=0))
        try:
            found.append(spreads(vectors, distances, part.table.info.segments, names[images], advance))
        except SimilarityError as failure:
            raise SimilarityError(f"{part.table.path}: {failure}") from failure
    return [_combination(name, parts, origins, [own[at] for own in found]) for at, name in enumerate(distances)], count


def _combination(
    distance: str, parts: Sequence[Part], origins: Sequence[Vectors], spread: Sequence[float]
) -> Combination:
    rule = ADDITIVE[distance]
    whole = rule.divisor(_joined(distance, parts))
    coefficients = np.array([part.weight / own for part, own in zip(parts, spread, strict=True)])
    if rule.directed is not None:
        coefficients /= coefficients.sum()
    scaled = [
        _Scaled(part, rule, origin, float((coefficient * whole / rule.divisor(part.segments)) ** rule.power))
        for part, origin, coefficient in zip(parts, origins, coefficients, strict=True)
    ]
    return Combination(distance, tuple(scaled), tuple(spread))


def _joined(distance: str, parts: Sequence[Part]) -> tuple[Segment, ...]:
    """The segments of joined vectors: those of the models for ``mse/segments``, else one for each model."""
    if distance == "mse/segments":
        return tuple(segment for part in parts for segment in part.segments)
    if distance == "cosine/segments":
        return (Segment("all", sum(part.table.info.dimension for part in parts)),)
    return tuple(Segment(part.table.info.name, part.table.info.dimension) for part in parts)


def blocks_of_rows(count: int, dimension: int) -> Iterator[slice]:
    """Divide ``count`` images, with vectors of ``dimension`` values, into blocks that are read one after the other."""
    step = max(1, _BLOCK // (8 * dimension))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
