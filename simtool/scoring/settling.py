"""Exact arithmetic for the few distances that double precision cannot tell apart.

Each distance is replaced by a fraction of whole numbers that orders pairs in the same way: the squared distance for
``mse``, the signed square of the cosine, and so on. Equal vectors are grouped first, so that tables with many equal
vectors need few distances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from math import isqrt, lcm
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.columns import Columns
from simtool.scoring.exact import Parts, lowest_exponent
from simtool.scoring.pairs import Pairs
from simtool.tables.embeddings import Segment

__all__ = ["Settler"]

Whole: TypeAlias = NDArray[np.object_]
Rows: TypeAlias = NDArray[np.intp]

#: Bytes of vectors that are split into whole numbers at a time.
_BYTES = 8 << 20
#: Binary places of a cosine within a segment (154 digits), because a sum of roots has no exact form.
_ROOT_BITS = 512


class Settler:
    """Ranks pairs of vectors by their exact distances.

    Args:
        columns: the n vectors.
        pairs: P pairs of the vectors.
        segments: the segments of the vectors, for distances by segment.
    """

    def __init__(self, columns: Columns, pairs: Pairs, segments: Sequence[Segment] = ()) -> None:
        self._columns, self._pairs, self._segments = columns, pairs, segments
        self._step = max(2, _BYTES // (8 * columns.dimension))

    def ranks(self, distance: str, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ranks of some pairs by a distance, (P,): equal distances have equal ranks.

        Args:
            distance: the name of the distance.
            wanted: (P,) true for the pairs to rank; the other pairs get rank 0.
        """
        some = self._pairs.take(np.flatnonzero(wanted))
        occurs = np.zeros(self._columns.count, np.bool_)
        occurs[some.first] = occurs[some.second] = True
        kind_of, sample, lowest = self._kinds(np.flatnonzero(occurs))
        left, right = kind_of[some.first], kind_of[some.second]
        codes, place = np.unique(np.minimum(left, right) * len(sample) + np.maximum(left, right), return_inverse=True)
        first, second = (sample[side] for side in np.divmod(codes, len(sample)))
        ranks = np.zeros(len(self._pairs), np.int64)
        ranks[wanted] = self._ranked(distance, first, second, lowest)[place]
        return ranks

    def _kinds(self, rows: Rows) -> tuple[Rows, Rows, int]:
        """Group equal vectors: the group of each, (n,); one row of each group; the lowest exponent of all."""
        known: dict[bytes, int] = {}
        kind_of = np.zeros(self._columns.count, np.intp)
        sample: list[int] = []
        lowest: list[int] = []
        for start in range(0, rows.size, self._step):
            piece = rows[start : start + self._step]
            vectors = self._columns.take(piece) + 0.0  # no negative zeros
            lowest.append(lowest_exponent(vectors))
            for row, vector in zip(piece.tolist(), vectors, strict=True):
                kind_of[row] = known.setdefault(blake2b(vector.data, digest_size=16).digest(), len(known))
                if kind_of[row] == len(sample):
                    sample.append(row)
        return kind_of, np.array(sample, np.intp), min(lowest)

    def _ranked(self, distance: str, first: Rows, second: Rows, lowest: int) -> NDArray[np.int64]:
        """The ranks of pairs of rows."""
        over, under = [], []
        measure = _MEASURES[distance]
        for parts, left, right in self._parts(first, second, lowest):
            numerators, denominators = measure(parts, left, right, self._columns.dimension, self._segments)
            over += numerators.tolist()
            under += denominators.tolist()
        # Different fractions differ by at least 1 / (product of their denominators): these keys tell them apart.
        bits = 2 * max(under).bit_length() if max(under) > 1 else 0
        keys = [(one << bits) // other for one, other in zip(over, under, strict=True)]
        slack = 4 * sum(segment.count for segment in self._segments) if distance == "cosine/segments" else 0
        rank_of, rank, before = {}, 0, None
        for key in sorted(set(keys)):
            rank += before is not None and key - before > slack
            rank_of[key], before = rank, key
        return np.array([rank_of[key] for key in keys], np.int64)

    def _parts(self, first: Rows, second: Rows, lowest: int) -> Iterator[tuple[Parts, Rows, Rows]]:
        """Some pairs at a time: their vectors as whole numbers, and the positions of both vectors of each pair."""
        for start in range(0, first.size, self._step // 2):
            piece = slice(start, start + self._step // 2)
            rows, local = np.unique(np.concatenate([first[piece], second[piece]]), return_inverse=True)
            left, right = local.reshape(2, -1)
            yield Parts(self._columns.take(rows), lowest), left, right


Measure: TypeAlias = Callable[[Parts, Rows, Rows, int, Sequence[Segment]], tuple[Whole, Whole]]


def _squares(parts: Parts, left: Rows, right: Rows, bounds: Sequence[int]) -> Whole:
    """|x - y|² within groups of columns, (P, groups)."""
    norms = parts.norms(bounds)
    squares: Whole = norms[left] + norms[right] - 2 * parts.products(left, right, bounds)
    return squares


def _square(parts: Parts, left: Rows, right: Rows, dimension: int, _: Sequence[Segment]) -> tuple[Whole, Whole]:
    return _undivided(_squares(parts, left, right, (0, dimension))[:, 0])


def _segment_square(parts: Parts, left: Rows, right: Rows, _: int, segments: Sequence[Segment]) -> tuple[Whole, Whole]:
    bounds = [0, *accumulate(segment.length * segment.count for segment in segments)]
    multiple = lcm(*(segment.length for segment in segments))
    weights = np.array([multiple // segment.length for segment in segments], object)
    return _undivided((_squares(parts, left, right, bounds) * weights).sum(axis=1))


def _absolute(parts: Parts, left: Rows, right: Rows, _: int, __: Sequence[Segment]) -> tuple[Whole, Whole]:
    return _undivided(parts.absolutes(left, right)[:, 0])


def _dot(parts: Parts, left: Rows, right: Rows, dimension: int, _: Sequence[Segment]) -> tuple[Whole, Whole]:
    return _undivided(-parts.products(left, right, (0, dimension))[:, 0])


def _cosine(parts: Parts, left: Rows, right: Rows, dimension: int, _: Sequence[Segment]) -> tuple[Whole, Whole]:
    products, norms = parts.products(left, right, (0, dimension))[:, 0], parts.norms((0, dimension))[:, 0]
    return -products * abs(products), norms[left] * norms[right]


def _correlation(parts: Parts, left: Rows, right: Rows, dimension: int, _: Sequence[Segment]) -> tuple[Whole, Whole]:
    products, norms = parts.products(left, right, (0, dimension))[:, 0], parts.norms((0, dimension))[:, 0]
    totals = parts.totals()[:, 0]
    common, own = dimension * products - totals[left] * totals[right], dimension * norms - totals**2
    return -common * abs(common), own[left] * own[right]


def _segment_cosine(parts: Parts, left: Rows, right: Rows, _: int, segments: Sequence[Segment]) -> tuple[Whole, Whole]:
    lengths = [segment.length for segment in segments for _ in range(segment.count)]
    bounds = [0, *accumulate(lengths)]
    norms = parts.norms(bounds)
    sums = np.zeros(left.size, object)
    for pair, (x, y) in enumerate(zip(left, right, strict=True)):
        products = parts.products(left[pair : pair + 1], right[pair : pair + 1], bounds)[0]
        sums[pair] = -sum(map(_root, products, norms[x] * norms[y]))
    return _undivided(sums)


def _root(product: int, squares: int) -> int:
    """A cosine in units of 2^-512; 0 if a vector is zero."""
    if not squares:
        return 0
    root = isqrt((product * product << 2 * _ROOT_BITS) // squares)
    return root if product > 0 else -root


def _undivided(values: Whole) -> tuple[Whole, Whole]:
    return values, np.ones(len(values), object)


_MEASURES: dict[str, Measure] = {
    "mse": _square,
    "euclidean": _square,
    "manhattan": _absolute,
    "dot": _dot,
    "cosine": _cosine,
    "correlation": _correlation,
    "mse/segments": _segment_square,
    "cosine/segments": _segment_cosine,
}
