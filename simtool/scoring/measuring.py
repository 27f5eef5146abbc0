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
from simtool.scoring.gram import add_gram_squares, gram_is_cheaper, gram_tiles
from simtool.scoring.pairs import Pairs
from simtool.scoring.spans import Span, spans
from simtool.tables.embeddings import Segment
from simtool.text import counted

__all__ = ["Names", "measure"]

Names = Sequence[str] | NDArray[np.object_]

#: Squared distances from a matrix product that are below this share of the squared norms are summed directly.
_CANCELED = 0.05
#: Vectors whose largest value is outside these bounds are scaled, so that squares do not overflow or vanish.
_LARGEST, _SMALLEST = 2.0**100, 2.0**-100
#: A bound of the error from numbers that are too small for double precision, relative to the tolerance.
_FLOOR = 2.0**-450
#: Weights of segments beyond this are rounded.
_WEIGHTS = 1 << 20


def measure(
    columns: Columns,
    pairs: Pairs,
    distances: Sequence[Distance],
    segments: Sequence[Segment] = (),
    names: Names | None = None,
    gram: bool | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Measured]:
    """Measure distances of pairs of vectors; yields one result for each distance, in order.

    Args:
        columns: the n vectors.
        pairs: P pairs of the vectors.
        distances: the distances to measure.
        segments: the segments of the vectors, for distances by segment.
        names: (n,) the names of the vectors in error messages.
        gram: whether to use a matrix product instead of a loop over the pairs; None chooses the cheaper one.
        advance: called with the number of columns after each block.

    Raises:
        SimilarityError: a distance by segment without segments; a vector without a direction, or with NaN or infinity.
    """
    if not segments and (needy := [distance.name for distance in distances if distance.by_segment]):
        raise SimilarityError(f"{listed(needy)} needs a table that names its segments, and this one names none")
    measurement = _Measurement(columns, pairs, {distance.term for distance in distances}, tuple(segments), gram)
    sums = measurement.sum(advance)
    _check_finite(sums, columns, names)
    for distance in distances:
        found = distance.measure(sums)
        if isinstance(found, Direction):
            _check_lengths(distance, found.length, columns, names)
            found = measurement.angles(found, sums)
        elif distance.term is Term.SEGMENT_ANGLES:
            _check_lengths(distance, sums.norm, columns, names)
        yield measurement.guarded(found)


def _check_finite(sums: Sums, columns: Columns, names: Names | None) -> None:
    suspects = np.flatnonzero(~np.isfinite(sums.norm))
    # One vector that is not finite prevents the scaling of all vectors, so finite vectors may have overflowed.
    finite = np.array([np.isfinite(vector).all() for vector in _whole(columns, suspects)], np.bool_)
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

    def __init__(
        self, columns: Columns, pairs: Pairs, terms: set[Term], segments: tuple[Segment, ...], gram: bool | None
    ) -> None:
        self._columns, self._pairs = columns, pairs
        by_segment = terms & {Term.SEGMENT_SQUARES, Term.SEGMENT_ANGLES}
        self._segments = segments if by_segment else ()
        self._terms = {term: np.zeros(len(pairs)) for term in Term if term in terms}
        self._empty = np.zeros(columns.count)
        self._tiles = gram_tiles(pairs) if Term.SQUARES in terms and Term.SEGMENT_SQUARES not in terms else []
        self._gram = bool(self._tiles) and (gram_is_cheaper(pairs, self._tiles) if gram is None else gram)
        self._segment_scale = _common_multiple(self._segments)
        self._tolerance = self._rounding()
        self._unit, self._scale = math.inf, 1.0
        if columns.dtype == np.float64:
            self._scale = self._fitting_scale()

    def _rounding(self) -> float:
        """The largest relative error of a sum of positive terms, for any order of summation within a block."""
        width = self._columns.width
        blocks = sum(1 for _ in spans(self._columns.dimension, width, self._segments))
        additions = min(width, self._columns.dimension) + blocks + 8
        # The result of a matrix product is used only if it is 1/20 of its terms or more.
        return additions * 2.0**-51 * (16 if self._gram else 1)

    def _fitting_scale(self) -> float:
        """The power of two that brings the largest value to the middle of the range of double precision."""
        largest = self._columns.largest
        if not largest or not math.isfinite(largest) or _SMALLEST <= largest <= _LARGEST:
            return 1.0
        return math.ldexp(1.0, min(-math.frexp(largest)[1], 1023))

    def sum(self, advance: Callable[[int], object]) -> Sums:
        """Read the columns once."""
        count, dimension = self._columns.count, self._columns.dimension
        origin = self._scaled(self._columns.read(0, 1))[:, 0].astype(np.float64)
        moments, norms = np.zeros((count, 3)), np.zeros(count)
        for span, block in self._blocks(self._segments):
            if self._unit:
                self._unit = kernels.finest_unit(block, self._unit)
            kernels.add_over_rows(block, origin, moments)
            self._add(span, block, norms)
            advance(span.stop - span.start)
        if self._gram:
            self._sum_canceled(norms)
        if Term.SEGMENT_ANGLES in self._terms:
            self._complete_angles(self._terms[Term.SEGMENT_ANGLES])
        square, shifted, shifted_square = moments.T
        norm = np.sqrt(square)
        with np.errstate(all="ignore"):
            deviation = np.sqrt(np.maximum(shifted_square - shifted**2 / dimension, 0))
            growth = shifted_square / deviation**2 + norm / deviation
        return Sums(
            pairs=self._pairs,
            dimension=dimension,
            segments=sum(segment.count for segment in self._segments) or 1,
            terms=self._terms,
            norm=norm,
            mean=origin + shifted / dimension,
            deviation=deviation,
            growth=growth,
            tolerance=self._tolerance,
            exact=self._exact(square),
            segment_scale=self._segment_scale or 1.0,
        )

    def _exact(self, squares: NDArray[np.float64]) -> frozenset[Term]:
        """The terms whose sums are exact: sums of whole numbers within double precision."""
        if not self._unit:
            return frozenset()
        length = math.sqrt(squares.max()) / self._unit
        largest = 16 * (length * length + self._columns.dimension)
        whole = {Term.SQUARES, Term.PRODUCTS, Term.ABSOLUTES} if largest < 2.0**52 else set()
        if self._segment_scale and largest * self._segment_scale < 2.0**52:
            whole.add(Term.SEGMENT_SQUARES)
        return frozenset(whole)

    def _blocks(self, segments: Sequence[Segment] = ()) -> Iterator[tuple[Span, NDArray[Any]]]:
        width = self._columns.width
        for span in spans(self._columns.dimension, width, segments):
            yield span, self._scaled(self._columns.read(span.start, span.stop))

    def _scaled(self, block: NDArray[Any]) -> NDArray[Any]:
        return block if self._scale == 1 else block * self._scale

    def _add(self, span: Span, block: NDArray[Any], norms: NDArray[np.float64]) -> None:
        """Add the contribution of one block to each term."""
        terms = self._terms
        if self._gram:
            unit = self._unit if math.isfinite(self._unit) else 0.0
            add_gram_squares(block, self._pairs, self._tiles, terms[Term.SQUARES], norms, unit)
        elif Term.SEGMENT_SQUARES in terms:
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
            unscaled = block if self._scale == 1 else self._columns.read(span.start, span.stop)
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

    def _sum_canceled(self, norms: NDArray[np.float64]) -> None:
        """Sum directly for vectors that are close to each other, where the matrix product loses digits."""
        squares = self._terms[Term.SQUARES]
        scale = norms[self._pairs.first] + norms[self._pairs.second]
        if (canceled := np.flatnonzero(squares <= _CANCELED * scale)).size:
            squares[canceled] = self._resummed(canceled, lambda block, _: block)

    def angles(self, direction: Direction, sums: Sums) -> Measured:
        """1 - cos of all pairs. Where digits cancel, it is computed from the directions of the vectors."""
        squares = sums.terms[Term.SQUARES]
        if Term.SQUARES in sums.exact and not direction.origin.any():
            norms = (sums.norm / self._unit) ** 2
            if norms.max() < 2**12:
                cosines = kernels.whole_cosines(squares, self._pairs, np.rint(norms), self._unit)
                return Measured(cosines, cosines, 0.0)
        shift = direction.origin * np.sqrt(sums.dimension)
        value, size = kernels.angles_of(squares, self._pairs, direction.length, shift, direction.growth, sums.tolerance)
        if (doubtful := np.flatnonzero(np.isnan(value))).size:
            value[doubtful], size[doubtful] = self._directed(doubtful, direction, sums.tolerance)
        return Measured(value, size, sums.tolerance)

    def _directed(
        self, positions: NDArray[np.intp], direction: Direction, tolerance: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """1 - cos of some pairs from the directions of the vectors, and the size of its error (see `Measured`)."""
        some = self._pairs.take(positions)
        with np.errstate(all="ignore"):
            squares = self._resummed(
                positions, lambda block, rows: (block - direction.origin[rows, None]) / direction.length[rows, None]
            )
            growth = direction.growth[some.first] + direction.growth[some.second]
            return squares / 2, squares / 2 + np.sqrt(squares) * growth + tolerance * growth**2

    def _resummed(
        self, positions: NDArray[np.intp], transform: Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any]]
    ) -> NDArray[np.float64]:
        """The summed squares of some pairs, after a transformation of the vectors (block, rows)."""
        some = self._pairs.take(positions)
        rows, local = np.unique(np.concatenate([some.first, some.second]), return_inverse=True)
        first, second = local.astype(np.int32).reshape(2, -1)
        pairs, squares = Pairs(rows.size, first, second), np.zeros(positions.size)
        for _, block in self._blocks():
            kernels.add_over_pairs(kernels.SQUARES, transform(block[rows], rows), pairs, squares)
        return squares

    def guarded(self, measured: Measured) -> Measured:
        """Allow for the error from numbers that are too small for double precision."""
        if self._columns.dtype == np.float32 or not measured.tolerance:
            return measured
        return Measured(measured.value, measured.size + _FLOOR, measured.tolerance)


def _scale_to_one(largest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The powers of two that bring numbers to between 1/2 and 1, if double precision has them; 1 for zeros."""
    exponents = np.frexp(largest)[1]
    scale: NDArray[np.float64] = np.ldexp(1.0, np.where(largest > 0, np.minimum(-exponents, 1023), 0))
    return scale


def _common_multiple(segments: Sequence[Segment]) -> float:
    """The least common multiple of the lengths; 0 if it is too large for exact weights."""
    multiple = math.lcm(*(segment.length for segment in segments))
    return float(multiple) if multiple <= _WEIGHTS else 0.0
