"""From vectors to distances: one reading of the columns serves every distance that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.similarity import kernels
from simtool.similarity.columns import Columns, block_width
from simtool.similarity.distances import Distance, Measured, SimilarityError, Sums, Term
from simtool.similarity.gram import add_gram_squares, gram_is_cheaper, gram_tiles
from simtool.similarity.pairs import Pairs
from simtool.similarity.spans import Span, spans
from simtool.tables.embeddings import Segment

__all__ = ["measure"]

#: Squared distances of directions below this are rounding (a few 1e-16, squared): the directions are the same.
_SAME_DIRECTION = 1e-30
#: Squared distances from a matrix product below this part of the squared norms are summed directly instead.
_CANCELED = 0.05


def measure(
    columns: Columns,
    pairs: Pairs,
    distances: Sequence[Distance],
    segments: Sequence[Segment] = (),
    names: Sequence[str] | NDArray[np.object_] | None = None,
    gram: bool | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Measured]:
    """Measure some distances of pairs of vectors.

    Args:
        columns: the n vectors.
        pairs: of them.
        distances: which.
        segments: of the vectors, for the distances by segment.
        names: (n,) what to call a vector in a complaint.
        gram: use a matrix product (true) or a loop over the pairs (false); whichever is cheaper where None.
        advance: told the number of columns after each block.

    Yields:
        One result for each distance, in order.

    Raises:
        SimilarityError: a distance by segment without segments; a vector without a direction.
    """
    if not segments and (needy := [distance.name for distance in distances if distance.by_segment]):
        raise SimilarityError(f"{listed(needy)} needs a table that names its segments, and this one names none")
    measurement = _Measurement(columns, pairs, {distance.term for distance in distances}, tuple(segments), gram)
    sums = measurement.sum(advance)
    for distance in distances:
        _check_directions(distance, sums, names)
    for distance in distances:
        value = distance.measure(sums)
        if distance.direction is not None and (doubtful := np.flatnonzero(np.isnan(value))).size:
            value[doubtful] = measurement.angles(doubtful, *distance.direction(sums))
        yield Measured(value, value if distance.size is None else distance.size(sums))


def _check_directions(distance: Distance, sums: Sums, names: Sequence[str] | NDArray[np.object_] | None) -> None:
    """Refuse vectors that have no angle to any other."""
    length = distance.direction(sums)[1] if distance.direction else sums.norm
    if distance.direction is None and distance.term is not Term.SEGMENT_ANGLES:
        return
    if (bad := np.flatnonzero(length == 0)).size:
        images = listed(bad if names is None else np.asarray(names)[bad])
        what = "all values equal" if distance.name == "correlation" else "only zeros"
        raise SimilarityError(f"no {distance.name} for {bad.size:,} images whose vectors hold {what}: {images}")


class _Measurement:
    """The sums over coordinates that some distances need."""

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

    def sum(self, advance: Callable[[int], object]) -> Sums:
        """Read the columns once."""
        count, dimension = self._columns.count, self._columns.dimension
        origin = self._columns.read(0, 1)[:, 0].astype(np.float64)
        moments, norms = np.zeros((count, 3)), np.zeros(count)
        for span, block in self._blocks(self._segments):
            kernels.add_over_rows(block, origin, moments)
            self._add(span, block, norms)
            advance(span.stop - span.start)
        if self._gram:
            self._sum_canceled(norms)
        self._complete_angles()
        square, shifted, shifted_square = moments.T
        return Sums(
            pairs=self._pairs,
            dimension=dimension,
            segments=sum(segment.count for segment in self._segments) or 1,
            terms=self._terms,
            norm=np.sqrt(square),
            mean=origin + shifted / dimension,
            deviation=np.sqrt(np.maximum(shifted_square - shifted**2 / dimension, 0)),
        )

    def _blocks(self, segments: Sequence[Segment] = ()) -> Iterator[tuple[Span, NDArray[Any]]]:
        width = block_width(self._columns.count, self._columns.dtype)
        for span in spans(self._columns.dimension, width, segments):
            yield span, self._columns.read(span.start, span.stop)

    def _add(self, span: Span, block: NDArray[Any], norms: NDArray[np.float64]) -> None:
        """Add what one block contributes to each term."""
        terms = self._terms
        if self._gram:
            add_gram_squares(block, self._pairs, self._tiles, terms[Term.SQUARES], norms)
        elif Term.SEGMENT_SQUARES in terms:
            squares = np.zeros(len(self._pairs))
            kernels.add_over_pairs(kernels.squares, block, self._pairs, squares)
            terms[Term.SEGMENT_SQUARES] += squares / span.length
            if Term.SQUARES in terms:
                terms[Term.SQUARES] += squares
        elif Term.SQUARES in terms:
            kernels.add_over_pairs(kernels.squares, block, self._pairs, terms[Term.SQUARES])
        if Term.PRODUCTS in terms:
            kernels.add_over_pairs(kernels.products, block, self._pairs, terms[Term.PRODUCTS])
        if Term.ABSOLUTES in terms:
            kernels.add_over_pairs(kernels.absolutes, block, self._pairs, terms[Term.ABSOLUTES])
        if Term.SEGMENT_ANGLES in terms:
            directions = self._segment_directions(span, block)
            kernels.add_over_pairs(kernels.squares, directions, self._pairs, terms[Term.SEGMENT_ANGLES])

    def _segment_directions(self, span: Span, block: NDArray[Any]) -> NDArray[np.float64]:
        """The block with every segment scaled to length 1; segments that are zero stay so, and are counted."""
        values = block.astype(np.float64)
        if span.segment == (span.start, span.stop):
            pieces = values.reshape(len(block), -1, span.length)
            norms = np.sqrt(np.einsum("nsl,nsl->ns", pieces, pieces))
        else:
            pieces, norms = values[:, None, :], self._segment_norms(span)[:, None]
        if span.stop == span.segment[1]:
            self._empty += (norms == 0).sum(axis=1)
        pieces /= np.where(norms == 0, 1, norms)[:, :, None]
        return values

    def _segment_norms(self, span: Span) -> NDArray[np.float64]:
        """The norms of a segment that is too long for one block."""
        total = np.zeros(self._columns.count)
        width = block_width(self._columns.count, self._columns.dtype)
        for start in range(*span.segment, width):
            piece = self._columns.read(start, min(start + width, span.segment[1])).astype(np.float64)
            total += np.einsum("ij,ij->i", piece, piece)
        norms: NDArray[np.float64] = np.sqrt(total)
        return norms

    def _complete_angles(self) -> None:
        """1 - cos = |u - v|² / 2 of unit vectors; a zero segment has similarity 0, hence distance 1, to any other."""
        if Term.SEGMENT_ANGLES not in self._terms:
            return
        angles = self._terms[Term.SEGMENT_ANGLES]
        angles[angles < _SAME_DIRECTION * sum(segment.count for segment in self._segments)] = 0
        angles += self._empty[self._pairs.first] + self._empty[self._pairs.second]
        angles /= 2

    def _sum_canceled(self, norms: NDArray[np.float64]) -> None:
        """Sum directly where the matrix product left few digits: vectors that are close to each other."""
        squares = self._terms[Term.SQUARES]
        scale = norms[self._pairs.first] + norms[self._pairs.second]
        if (canceled := np.flatnonzero(squares <= _CANCELED * scale)).size:
            squares[canceled] = self._resummed(canceled, lambda block, _: block)

    def angles(
        self, positions: NDArray[np.intp], origin: NDArray[np.float64], length: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """1 - cos of some pairs, from the vectors' directions (x - origin) / length.

        Args:
            positions: of the pairs.
            origin: (n,) subtracted from every coordinate of a vector.
            length: (n,) of the vectors then.
        """
        squares = self._resummed(positions, lambda block, rows: (block - origin[rows, None]) / length[rows, None])
        squares[squares < _SAME_DIRECTION] = 0
        return squares / 2

    def _resummed(
        self, positions: NDArray[np.intp], transform: Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any]]
    ) -> NDArray[np.float64]:
        """The summed squares of some pairs, after a transformation of the vectors (block, rows)."""
        some = self._pairs.take(positions)
        rows, local = np.unique(np.concatenate([some.first, some.second]), return_inverse=True)
        first, second = local.astype(np.int32).reshape(2, -1)
        pairs, squares = Pairs(rows.size, first, second), np.zeros(positions.size)
        for _, block in self._blocks():
            kernels.add_over_pairs(kernels.squares, transform(block[rows], rows), pairs, squares)
        return squares
