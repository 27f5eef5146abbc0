"""Judging comparisons by squared distances, with a bound of their errors.

Many distances follow from the squared distance of two vectors and from sums of each vector. One loop over the trials
looks up the squared distances of the pairs of each trial, and judges the comparisons by all of these distances. A
comparison whose distances differ by less than their errors remains undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring import kernels
from simtool.scoring.columns import Columns
from simtool.scoring.distances import Distance, Term
from simtool.scoring.measuring import FLOOR, Names, check_rows
from simtool.scoring.pairs import PairNumbers, look_up
from simtool.scoring.plan import STEP, Display, Plan
from simtool.scoring.rows import RowSums
from simtool.system.compiled import compiled
from simtool.system.threads import Workers, in_threads

__all__ = ["is_screened", "screen"]

Indices: TypeAlias = NDArray[np.uint32]
Values: TypeAlias = NDArray[np.float64]

#: Rows and columns of a matrix product.
_TILE = 256
#: Relative error of the last steps of a formula.
_ROUNDING = 2.0**-50
#: Cosines of vectors of whole numbers are exact fractions if no squared length has more units.
_WHOLE = 1 << 12
#: How a distance follows from squared distances.
_SQUARE, _ANGLE, _FRACTION = range(3)


class Views(NamedTuple):
    """How distances follow from the squared distance s of x and y.

    Attributes:
        kinds: s itself, or the angle (s - (a - b)² - (g - h)²) / (a b), or a cosine from exact squared lengths a and b.
        tables: (distances, n, 3) a, g and 1 / a of each vector.
        errors: the largest errors of the difference of two distances; 0 if equal distances are ties.
    """

    kinds: NDArray[np.int8]
    tables: Values
    errors: Values


def is_screened(distance: Distance) -> bool:
    """Whether a distance follows from squared distances."""
    return distance.term is Term.SQUARES


def screen(
    columns: Columns,
    plan: Plan,
    distances: Sequence[Distance],
    names: Names | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> NDArray[np.float32]:
    """Judge all comparisons by some distances.

    Args:
        columns: the vectors of the used images.
        plan: of the trials.
        distances: distances that are screened.
        names: (n,) the names of the vectors in error messages.
        advance: called with the number of columns after each block.

    Returns:
        (distances, C) 1 where the near pair has the smaller distance, 0 where it has the larger, 1/2 where both are
        equal; NaN where the difference is within the errors.

    Raises:
        SimilarityError: a vector without a direction, or with NaN or infinity.
    """
    rows = RowSums(columns)
    squares, slack = (_matrix if plan.numbers.dense else _list)(plan, rows, advance)
    check_rows(rows, distances, names)
    largest = float(squares.max(initial=0))
    error = 0.0 if rows.are_exact() else rows.tolerance * (largest + slack)
    views = Views(*map(np.array, zip(*(_view(each, rows, largest, error) for each in distances), strict=True)))
    credit = np.empty((len(distances), plan.trials.comparisons), np.float32)
    in_threads(
        lambda start, stop: _judge(plan.display, plan.numbers, squares, views, plan.first, credit, start, stop),
        plan.first.size,
    )
    return credit


def _list(plan: Plan, rows: RowSums, advance: Callable[[int], object]) -> tuple[Values, float]:
    """The squared distances of the pairs in the list, and their error apart from a relative one, over the tolerance."""
    squares = np.zeros(len(plan.pairs))
    for span, block in rows.blocks():
        rows.add(block)
        kernels.add_over_pairs(kernels.SQUARES, block, plan.pairs, squares)
        del block  # makes room for the next one
        advance(span.stop - span.start)
    return squares, 0.0


def _matrix(plan: Plan, rows: RowSums, advance: Callable[[int], object]) -> tuple[Values, float]:
    """The squared distances of all pairs; see :func:`_list`.

    The columns are centered, because |x - y|² = |x|² + |y|² - 2 x·y loses digits to a common mean. Whole multiples of
    a unit remain whole multiples, and their sums exact.
    """
    count = plan.used.size
    matrix, norms = np.zeros((count, count)), np.zeros(count)
    tiles = [slice(start, start + _TILE) for start in range(0, count, _TILE)]
    # Threads of the library for products would stay busy after a product, and hold up the threads that judge.
    with Workers() as workers:
        for span, block in rows.blocks():
            rows.add(block)
            center = block.mean(axis=0, dtype=np.float64)
            centered = block - (np.rint(center / rows.unit) * rows.unit if 0 < rows.unit < np.inf else center)
            norms += np.einsum("ij,ij->i", centered, centered)

            def add(tile: tuple[slice, slice], block: Values = centered) -> None:
                matrix[tile] += block[tile[0]] @ block[tile[1]].T

            workers.each(add, combinations_with_replacement(tiles, 2))
            advance(span.stop - span.start)
    in_threads(lambda start, stop: _complete(matrix, norms, start, stop), count)
    return matrix.reshape(-1), 8 * float(norms.max())


@compiled
def _complete(matrix: Values, norms: Values, start: int, stop: int) -> None:
    """Replace the inner products on and above the diagonal by squared distances; the others become 0."""
    for row in range(start, stop):
        matrix[row, :row] = 0
        for column in range(row, norms.size):
            matrix[row, column] = max(norms[row] + norms[column] - 2 * matrix[row, column], 0.0)


def _view(distance: Distance, rows: RowSums, largest: float, error: float) -> tuple[int, Values, float]:
    """An element of each array of :class:`Views`.

    Args:
        distance: the distance.
        rows: sums of each vector.
        largest: the largest squared distance.
        error: the largest error of a squared distance.
    """
    floor = 0.0 if rows.columns.dtype == np.float32 else rows.tolerance * FLOOR
    if distance.direction is None:
        return _SQUARE, np.ones((rows.columns.count, 3)), 2 * (error + floor * rows.columns.dimension) if error else 0.0
    direction = distance.direction(rows)
    length = direction.length
    if not error and not direction.origin.any() and (norms := (length / rows.unit) ** 2).max() < _WHOLE:
        return _FRACTION, np.outer(np.rint(norms) * rows.unit**2, np.ones(3)), 0.0
    with np.errstate(all="ignore"):
        table = np.stack([length, direction.origin * np.sqrt(rows.columns.dimension), 1 / length], axis=1)
        relative = rows.tolerance * float(direction.growth.max()) + _ROUNDING
        apart, unsure = np.ptp(table[:, :2], axis=0).sum(), 2 * relative * length.max()
        total = error + 2 * relative * largest + (2 * apart + unsure) * unsure + floor * length.max() ** 2
        total = np.inf if length.min() < kernels.SHORT else 2 * total * table[:, 2].max() ** 2
    return _ANGLE, table, float(total) if total >= 0 else np.inf


@compiled
def _judge(
    display: Display,
    numbers: PairNumbers,
    squares: Values,
    views: Views,
    first: NDArray[np.int64],
    credit: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Judge the comparisons of the trials of some steps; ``first`` are the first comparisons of all steps.

    Indices are unsigned, because signed ones may count from the end, which takes a third of the time.
    """
    query, references, position, of_trial, pair_start, left, right, comparison_start, near, far = display
    length = STEP * np.diff(pair_start).max()
    x, y, number = np.empty(length, np.uint32), np.empty(length, np.uint32), np.empty(length, np.int64)
    value = np.empty(length)
    length = STEP * np.diff(comparison_start).max()
    one, other = np.empty(length, np.uint32), np.empty(length, np.uint32)
    for step in range(start, stop):
        pairs = comparisons = np.uint64(0)
        for trial in range(np.uint64(step * STEP), np.uint64(min((step + 1) * STEP, query.size))):
            selection = np.uint64(of_trial[trial])
            after = selection + np.uint64(1)
            for comparison in range(np.uint64(comparison_start[selection]), np.uint64(comparison_start[after])):
                one[comparisons] = pairs + np.uint64(near[comparison])
                other[comparisons] = pairs + np.uint64(far[comparison])
                comparisons += np.uint64(1)
            for pair in range(np.uint64(pair_start[selection]), np.uint64(pair_start[after])):
                place = left[pair]
                x[pairs] = position[np.uint64(query[trial] if place < 0 else references[trial, np.uint64(place)])]
                place = right[pair]
                y[pairs] = position[np.uint64(query[trial] if place < 0 else references[trial, np.uint64(place)])]
                pairs += np.uint64(1)
        look_up(numbers, x, y, number[: np.int64(pairs)])
        for distance in range(len(credit)):
            own = value[: np.int64(pairs)]
            _evaluate(views.kinds[distance], views.tables[distance], x, y, squares, number, own)
            out = credit[distance, first[step] : first[step] + np.int64(comparisons)]
            for comparison in range(out.size):
                gap = value[other[comparison]] - value[one[comparison]]
                out[comparison] = gap > 0
                if not abs(gap) > views.errors[distance]:
                    out[comparison] = np.nan if views.errors[distance] else 0.5


@compiled
def _evaluate(kind: int, table: Values, x: Indices, y: Indices, squares: Values, number: Indices, out: Values) -> None:
    """Compute distances of pairs, (P,)."""
    for pair in range(out.size):
        square, a, b = squares[number[pair]], table[x[pair], 0], table[y[pair], 0]
        if kind == _SQUARE:
            out[pair] = square
        elif kind == _ANGLE:
            aside = table[x[pair], 1] - table[y[pair], 1]
            out[pair] = (square - (a - b) * (a - b) - aside * aside) * (table[x[pair], 2] * table[y[pair], 2])
        else:
            # The square of a cosine is a fraction of whole numbers below 2^24; different fractions differ by 2^-48.
            product = (a + b - square) / 2
            out[pair] = -product * abs(product) / (a * b)
