"""Distances of pairs of vectors. The columns of the vectors are read once for all distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.scoring import kernels
from simtool.scoring.columns import Columns
from simtool.scoring.distances import Direction, Distance, Measured, SimilarityError, Sums, Term
from simtool.scoring.pairs import Pairs
from simtool.scoring.rows import RowSums
from simtool.scoring.spans import Span
from simtool.tables.embeddings import Segment
from simtool.text import counted

__all__ = ["FLOOR", "Names", "check_rows", "check_segments", "measure"]

Names = Sequence[str] | NDArray[np.object_]

#: A bound of the error from numbers that are too small for double precision, relative to the tolerance.
FLOOR = 2.0**-450
#: Weights of segments beyond this are rounded.
_WEIGHTS = 1 << 20


def measure(
    columns: Columns,
    pairs: Pairs,
    distances: Sequence[Distance],
    segments: Sequence[Segment] = (),
    names: Names | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Measured]:
    """Measure distances of pairs of vectors; yields one result for each distance, in order.

    Args:
        columns: the n vectors.
        pairs: P pairs of the vectors.
        distances: the distances to measure.
        segments: the segments of the vectors, for distances by segment.
        names: (n,) the names of the vectors in error messages.
        advance: called with the number of columns after each block.

    Raises:
        SimilarityError: a distance by segment without segments; a vector without a direction, or with NaN or infinity.
    """
    check_segments(distances, segments)
    measurement = _Measurement(columns, pairs, {each.term for each in distances if each.measure}, tuple(segments))
    sums = measurement.sum(advance)
    check_rows(sums.rows, distances, names)
    for distance in distances:
        if distance.direction:
            found = measurement.angles(distance.direction(sums.rows), sums.rows)
        elif distance.measure:
            found = distance.measure(sums)
        yield measurement.guarded(found)


def check_segments(distances: Sequence[Distance], segments: Sequence[Segment]) -> None:
    """Refuse distances by segment without segments."""
    if not segments and (needy := [distance.name for distance in distances if distance.by_segment]):
        raise SimilarityError(f"{listed(needy)} needs a table that names its segments, and this one names none")


def check_rows(rows: RowSums, distances: Sequence[Distance], names: Names | None) -> None:
    """Refuse vectors with NaN or infinity, and vectors without a direction if a distance is an angle."""
    _check_finite(rows, names)
    for distance in distances:
        if distance.direction:
            _check_lengths(distance, distance.direction(rows).length, rows.columns, names)
        elif distance.term is Term.SEGMENT_ANGLES:
            _check_lengths(distance, rows.norm, rows.columns, names)


def _check_finite(rows: RowSums, names: Names | None) -> None:
    suspects = np.flatnonzero(~np.isfinite(rows.norm))
    # One vector that is not finite prevents the scaling of all vectors, so finite vectors may have overflowed.
    finite = np.array([np.isfinite(vector).all() for vector in _whole(rows.columns, suspects)], np.bool_)
    if (bad := suspects[~finite]).size:
        raise SimilarityError(f"NaN or infinity in {counted(bad.size, 'vectors')}: {_called(bad, names)}")


def _check_lengths(distance: Distance, length: NDArray[np.float64], columns: Columns, names: Names | None) -> None:
    """Refuse vectors without a direction."""
    short = np.flatnonzero(length < kernels.SHORT)
    centered = distance.name == "correlation"
    same = np.array([(vector == (vector[0] if centered else 0)).all() for vector in _whole(columns, short)], np.bool_)
    if (bad := short[same]).size:
        what = "all values equal" if centered else "only zeros"
        raise SimilarityError(
            f"no {distance.name} for {counted(bad.size, 'images')} whose vectors hold {what}: {_called(bad, names)}; "
            "mse, euclidean, manhattan and dot take them"
        )


def _whole(columns: Columns, rows: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
    """Some vectors, one at a time."""
    for place in range(rows.size):
        yield columns.take(rows[[place]])[0]


def _called(rows: NDArray[np.intp], names: Names | None) -> str:
    return listed(rows if names is None else np.asarray(names)[rows])


class _Measurement:
    """Computes the sums over coordinates that the distances need."""

    def __init__(self, columns: Columns, pairs: Pairs, terms: set[Term], segments: tuple[Segment, ...]) -> None:
        self._columns, self._pairs = columns, pairs
        by_segment = terms & {Term.SEGMENT_SQUARES, Term.SEGMENT_ANGLES}
        self._segments = segments if by_segment else ()
        self._terms = {term: np.zeros(len(pairs)) for term in Term if term in terms}
        self._empty = np.zeros(columns.count)
        self._segment_scale = _common_multiple(self._segments)
        self._rows = RowSums(columns, self._segments)

    def sum(self, advance: Callable[[int], object]) -> Sums:
        """Read the columns once."""
        for span, block in self._rows.blocks():
            self._rows.add(block)
            self._add(span, block)
            advance(span.stop - span.start)
        if Term.SEGMENT_ANGLES in self._terms:
            self._complete_angles(self._terms[Term.SEGMENT_ANGLES])
        exact = {Term.SQUARES, Term.PRODUCTS, Term.ABSOLUTES} if self._rows.are_exact() else set()
        if self._segment_scale and self._rows.are_exact(self._segment_scale):
            exact.add(Term.SEGMENT_SQUARES)
        return Sums(
            pairs=self._pairs,
            rows=self._rows,
            segments=sum(segment.count for segment in self._segments) or 1,
            terms=self._terms,
            exact=frozenset(exact),
            segment_scale=self._segment_scale or 1.0,
        )

    def _add(self, span: Span, block: NDArray[Any]) -> None:
        """Add the contribution of one block to each term."""
        terms = self._terms
        if Term.SEGMENT_SQUARES in terms:
            squares = np.zeros(len(self._pairs))
            kernels.add_over_pairs(kernels.SQUARES, block, self._pairs, squares)
            terms[Term.SEGMENT_SQUARES] += squares * ((self._segment_scale or 1.0) / span.length)
            if Term.SQUARES in terms:
                terms[Term.SQUARES] += squares
        elif Term.SQUARES in terms:
            kernels.add_over_pairs(kernels.SQUARES, block, self._pairs, terms[Term.SQUARES])
        for term, kernel in ((Term.PRODUCTS, kernels.PRODUCTS), (Term.ABSOLUTES, kernels.ABSOLUTES)):
            if term in terms:
                kernels.add_over_pairs(kernel, block, self._pairs, terms[term])
        if Term.SEGMENT_ANGLES in terms:
            # The scale of the vectors could make a small segment vanish, so each segment has a scale.
            unscaled = block if self._rows.scale == 1 else self._columns.read(span.start, span.stop)
            directions = self._segment_directions(span, unscaled)
            kernels.add_over_pairs(kernels.SQUARES, directions, self._pairs, terms[Term.SEGMENT_ANGLES])

    def _segment_directions(self, span: Span, block: NDArray[Any]) -> NDArray[np.float64]:
        """The block with each segment scaled to length 1. Zero segments stay zero and are counted."""
        values = block.astype(np.float64)
        if span.segment == (span.start, span.stop):
            pieces = values.reshape(len(block), -1, span.length)
            if self._columns.dtype == np.float64:
                pieces *= _scale_to_one(np.abs(pieces).max(axis=2))[:, :, None]
            norms = np.sqrt(np.einsum("nsl,nsl->ns", pieces, pieces))
        else:
            pieces = values[:, None, :]
            scale, norms = (part[:, None] for part in self._segment_norms(span))
            pieces *= scale[:, :, None]
        if span.stop == span.segment[1]:
            self._empty += (norms == 0).sum(axis=1)
        pieces /= np.where(norms == 0, 1, norms)[:, :, None]
        return values

    def _segment_norms(self, span: Span) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The scale of a segment that is too long for one block, and the norms of the scaled segment."""
        total, largest = np.zeros(self._columns.count), np.zeros(self._columns.count)
        for piece in self._pieces(span):
            np.maximum(largest, np.abs(piece).max(axis=1), out=largest)
        scale = _scale_to_one(largest)
        for piece in self._pieces(span):
            piece *= scale[:, None]
            total += np.einsum("ij,ij->i", piece, piece)
        return scale, np.sqrt(total)

    def _pieces(self, span: Span) -> Iterator[NDArray[np.float64]]:
        width = self._columns.width
        for start in range(*span.segment, width):
            yield self._columns.read(start, min(start + width, span.segment[1])).astype(np.float64)

    def _complete_angles(self, angles: NDArray[np.float64]) -> None:
        """1 - cos = |u - v|² / 2 of unit vectors. A zero segment has similarity 0, so distance 1, to any segment."""
        angles += self._empty[self._pairs.first] + self._empty[self._pairs.second]
        angles /= 2

    def angles(self, direction: Direction, rows: RowSums) -> Measured:
        """1 - cos = |u - v|² / 2 of all pairs, from the directions u and v of the vectors."""
        first, second = self._pairs.first, self._pairs.second
        value = np.zeros(len(self._pairs))
        with np.errstate(all="ignore"):
            for _, block in rows.blocks():
                directions = (block - direction.origin[:, None]) / direction.length[:, None]
                kernels.add_over_pairs(kernels.SQUARES, directions, self._pairs, value)
            value /= 2
            growth = direction.growth[first] + direction.growth[second]
            size = value + np.sqrt(2 * value) * growth + rows.tolerance * growth**2
        short = np.minimum(direction.length[first], direction.length[second]) < kernels.SHORT
        value[short], size[short] = 0, np.inf
        return Measured(value, size, rows.tolerance)

    def guarded(self, measured: Measured) -> Measured:
        """Allow for the error from numbers that are too small for double precision."""
        if self._columns.dtype == np.float32 or not measured.tolerance:
            return measured
        return Measured(measured.value, measured.size + FLOOR, measured.tolerance)


def _scale_to_one(largest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The powers of two that bring numbers to between 1/2 and 1, if double precision has them; 1 for zeros."""
    exponents = np.frexp(largest)[1]
    scale: NDArray[np.float64] = np.ldexp(1.0, np.where(largest > 0, np.minimum(-exponents, 1023), 0))
    return scale


def _common_multiple(segments: Sequence[Segment]) -> float:
    """The least common multiple of the lengths; 0 if it is too large for exact weights."""
    multiple = math.lcm(*(segment.length for segment in segments))
    return float(multiple) if multiple <= _WEIGHTS else 0.0
