"""Judging comparisons by squared distances, with errors that are bounded.

Many distances follow from the squared distance of two vectors and from sums of each vector. One loop over the trials
looks up the squared distances of the pairs of each trial, and judges the comparisons by all of these distances. What is
closer than its error remains undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring import kernels
from simtool.scoring.columns import Columns
from simtool.scoring.distances import Distance, Term
from simtool.scoring.measuring import FLOOR, Names, check_rows
from simtool.scoring.pairs import TILE_ROW, PairNumbers, bits_below, key_of
from simtool.scoring.plan import STEP, Codes, Places, Plan
from simtool.scoring.rows import RowSums
from simtool.system.compiled import compiled
from simtool.system.threads import Workers, in_threads

__all__ = ["is_screened", "screen"]

Indices: TypeAlias = NDArray[np.uint32]

#: Rows and columns of a matrix product.
_TILE = 256
#: Relative error of the last steps of a formula.
_ROUNDING = 2.0**-50
#: Cosines of vectors of whole numbers are exact fractions if no squared length has more units.
_WHOLE = 1 << 12
#: How a distance follows from squared distances.
_SQUARE, _ANGLE, _WHOLE_COSINE = range(3)


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
    squares = _Squares(columns, plan.numbers)
    squares.add(advance)
    check_rows(squares.rows, distances, names)
    views = [_view(distance, squares) for distance in distances]
    arrays = (
        squares.value,
        np.stack([view.table for view in views]),
        np.array([view.kind for view in views], np.int8),
        np.array([view.error for view in views]),
        np.array([view.most(squares.value.max(initial=0)) for view in views]),
    )
    credit = np.empty((len(distances), plan.comparisons), np.float32)
    trials, selections, ends = plan.trials, plan.selections, plan.ends

    def judge(start: int, stop: int) -> None:
        shown = trials.query, trials.references, selections.of_trial, plan.index
        compared = selections.start, ends.near, ends.far, ends.start, ends.left, ends.right
        _judge(*shown, *compared, *plan.numbers.look, *arrays, credit, plan.first, start, stop)

    in_threads(judge, plan.first.size)
    return credit


class _Squares:
    """Squared distances of numbered pairs of vectors.

    Attributes:
        value: (P,) by the numbers of the pairs.
        rows: sums of each vector.
        error: the relative error of a value.
        slack: (n,) the error of a value in addition, as a sum over both vectors.
    """

    def __init__(self, columns: Columns, numbers: PairNumbers) -> None:
        self._numbers, self.rows = numbers, RowSums(columns)
        self._matrix = np.zeros((columns.count, columns.count) if numbers.dense else (0, 0))
        self._norms = np.zeros(columns.count)
        self.value = self._matrix.reshape(-1) if numbers.dense else np.zeros(len(numbers.pairs))

    def add(self, advance: Callable[[int], object]) -> None:
        """Read the columns once."""
        # The library's threads stay busy for a while after a product, and would hold up the threads that judge.
        with Workers() as workers:
            for span, block in self.rows.blocks():
                self.rows.add(block)
                if self._numbers.dense:
                    self._multiply(block, workers)
                else:
                    kernels.add_over_pairs(kernels.SQUARES, block, self._numbers.pairs, self.value)
                advance(span.stop - span.start)
        if self._numbers.dense:
            norms = self._norms
            in_threads(lambda start, stop: _complete(self._matrix, norms, start, stop), norms.size)

    def _multiply(self, block: NDArray[Any], workers: Workers) -> None:
        """Add the inner products of a block to the matrix, on and above the diagonal.

        The columns are centered first, because |x - y|² = |x|² + |y|² - 2 x·y loses digits to a common mean. Whole
        multiples of a unit remain whole multiples, and their sums exact.
        """
        center, unit = block.mean(axis=0, dtype=np.float64), self.rows.unit
        centered = block - (np.rint(center / unit) * unit if 0 < unit < np.inf else center)
        self._norms += np.einsum("ij,ij->i", centered, centered)
        matrix, tiles = self._matrix, [slice(start, start + _TILE) for start in range(0, len(block), _TILE)]

        def add(tile: tuple[slice, slice]) -> None:
            matrix[tile] += centered[tile[0]] @ centered[tile[1]].T

        workers.each(add, combinations_with_replacement(tiles, 2))

    @property
    def exact(self) -> bool:
        """Whether the values are exact."""
        return self.rows.are_exact()

    @property
    def error(self) -> float:
        return 0.0 if self.exact else self.rows.tolerance

    @property
    def slack(self) -> NDArray[np.float64]:
        return np.zeros_like(self._norms) if self.exact else 4 * self.rows.tolerance * self._norms


@compiled
def _complete(matrix: NDArray[np.float64], norms: NDArray[np.float64], start: int, stop: int) -> None:
    """Replace the inner products above the diagonal by squared distances."""
    for row in range(start, stop):
        for column in range(row, norms.size):
            matrix[row, column] = max(norms[row] + norms[column] - 2 * matrix[row, column], 0.0)


@dataclass(frozen=True)
class _View:
    """How a distance follows from the squared distance s of x and y.

    Attributes:
        kind: s itself, or the angle (s - (a - b)² - (g - h)²) / (a b), or a cosine from exact squared lengths a and b.
        table: (n, 5) for each vector a, g, 1 / a, the relative error of a, and an error of s.
        error: the relative error of s, in addition; 0 if equal results are ties.
    """

    kind: int
    table: NDArray[np.float64]
    error: float

    def most(self, largest: float) -> float:
        """The largest error of a difference of two distances, for squared distances up to ``largest``."""
        if not self.error:
            return 0.0
        with np.errstate(all="ignore"):
            length, _, over, relative, slack = self.table.max(axis=0)
            apart, unsure = np.ptp(self.table[:, :2], axis=0).sum(), 2 * relative * length
            error = largest * (self.error + 2 * relative) + (2 * apart + unsure) * unsure + 2 * slack
            return float(np.nan_to_num(2 * error * over**2, nan=np.inf, posinf=np.inf))


def _view(distance: Distance, squares: _Squares) -> _View:
    rows, tolerance = squares.rows, squares.rows.tolerance
    floor = 0.0 if rows.columns.dtype == np.float32 or squares.exact else tolerance * FLOOR
    table = np.zeros((rows.columns.count, 5))
    if distance.direction is None:
        table[:, [0, 2]], table[:, 4] = 1, squares.slack + floor * rows.columns.dimension
        return _View(_SQUARE, table, squares.error)
    direction = distance.direction(rows)
    length, unit = direction.length, rows.unit
    if squares.exact and not direction.origin.any() and (norms := (length / unit) ** 2).max() < _WHOLE:
        table[:, 0] = np.rint(norms) * unit**2
        return _View(_WHOLE_COSINE, table, 0.0)
    with np.errstate(all="ignore"):
        table[:, 0], table[:, 1] = length, direction.origin * np.sqrt(rows.columns.dimension)
        table[:, 2], table[:, 3] = 1 / length, tolerance * direction.growth + _ROUNDING
        table[:, 4] = np.where(length < kernels.SHORT, np.inf, squares.slack + floor * length**2)
    return _View(_ANGLE, table, squares.error + _ROUNDING)


@compiled
def _judge(
    query: Codes,
    references: Codes,
    of_trial: Codes,
    index: Codes,
    comparison_start: NDArray[np.int64],
    near: Places,
    far: Places,
    pair_start: NDArray[np.int64],
    left: Places,
    right: Places,
    tiles: NDArray[np.int64],
    bits: NDArray[np.uint64],
    ranks: NDArray[np.int32],
    keys: NDArray[np.int64],
    squares: NDArray[np.float64],
    tables: NDArray[np.float64],
    kinds: NDArray[np.int8],
    errors: NDArray[np.float64],
    most: NDArray[np.float64],
    credit: NDArray[np.float32],
    first: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Judge the comparisons of the trials of some steps; ``first`` are the first comparisons of all steps.

    Indices are unsigned, because signed ones may count from the end, which takes a third of the time.
    """
    length = STEP * np.diff(pair_start).max()
    x, y = np.empty(length, np.uint32), np.empty(length, np.uint32)
    square, value = np.empty(length), np.empty(length)
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
                x[pairs] = index[np.uint64(query[trial] if place < 0 else references[trial, np.uint64(place)])]
                place = right[pair]
                y[pairs] = index[np.uint64(query[trial] if place < 0 else references[trial, np.uint64(place)])]
                pairs += np.uint64(1)
        _look_up(x[:pairs], y[:pairs], tables.shape[1], tiles, bits, ranks, keys, squares, square)
        for distance in range(len(kinds)):
            out = credit[distance, first[step] : first[step] + np.int64(comparisons)]
            _evaluate(kinds[distance], tables[distance], x[:pairs], y[:pairs], square, value)
            if _compare(value, one, other, most[distance], out):
                _recheck(value, one, other, x, y, square, tables[distance], errors[distance], out)


@compiled
def _look_up(
    x: Indices,
    y: Indices,
    images: int,
    tiles: NDArray[np.int64],
    bits: NDArray[np.uint64],
    ranks: NDArray[np.int32],
    keys: NDArray[np.int64],
    squares: NDArray[np.float64],
    square: NDArray[np.float64],
) -> None:
    """Look up the squared distances of pairs."""
    for pair in range(x.size):
        low, high = min(x[pair], y[pair]), max(x[pair], y[pair])
        if bits.size:
            key = key_of(low, high, tiles[low >> TILE_ROW])
            square[pair] = squares[ranks[key >> 6] + bits_below(bits[key >> 6], key)]
        elif keys.size:
            square[pair] = squares[np.searchsorted(keys, key_of(low, high, tiles[low >> TILE_ROW]))]
        else:
            square[pair] = squares[np.uint64(low) * np.uint64(images) + high]


@compiled
def _evaluate(
    kind: int, table: NDArray[np.float64], x: Indices, y: Indices, square: NDArray[np.float64], value: NDArray[np.float64]
) -> None:
    """Compute distances of pairs by a view."""
    for pair in range(x.size):
        a, b = table[x[pair], 0], table[y[pair], 0]
        if kind == _SQUARE:
            value[pair] = square[pair]
        elif kind == _ANGLE:
            aside = table[x[pair], 1] - table[y[pair], 1]
            rest = square[pair] - (a - b) * (a - b) - aside * aside
            value[pair] = rest * (table[x[pair], 2] * table[y[pair], 2])
        else:
            # The square of a cosine is a fraction of whole numbers below 2^24; different fractions differ by 2^-48.
            product = (a + b - square[pair]) / 2
            value[pair] = -product * abs(product) / (a * b)


@compiled
def _compare(value: NDArray[np.float64], one: Indices, other: Indices, most: float, out: NDArray[np.float32]) -> int:
    """Compare distances; counts the comparisons that are not certain."""
    close = 0
    for comparison in range(out.size):
        gap = value[other[comparison]] - value[one[comparison]]
        out[comparison] = gap > 0
        close += not abs(gap) > most
    return close


@compiled
def _recheck(
    value: NDArray[np.float64],
    one: Indices,
    other: Indices,
    x: Indices,
    y: Indices,
    square: NDArray[np.float64],
    table: NDArray[np.float64],
    error: float,
    out: NDArray[np.float32],
) -> None:
    """Compare distances with the errors of each pair."""
    for comparison in range(out.size):
        gap, total = value[other[comparison]] - value[one[comparison]], 0.0
        for pair in (one[comparison], other[comparison]):
            a, b = x[pair], y[pair]
            total += _error(
                square[pair],
                table[a, 0],
                table[b, 0],
                table[a, 1] - table[b, 1],
                table[a, 2] * table[b, 2],
                table[a, 3],
                table[b, 3],
                table[a, 4] + table[b, 4],
                error,
            )
        if error == 0:
            out[comparison] = 0.5 if gap == 0 else out[comparison]
        elif not abs(gap) > total:
            out[comparison] = np.nan


@compiled
def _error(
    square: float, a: float, b: float, aside: float, over: float, of_a: float, of_b: float, slack: float, error: float
) -> float:
    """A bound of the error of a distance; see :class:`_View`."""
    apart, aside, unsure = abs(a - b), abs(aside), of_a * a + of_b * b
    rest = abs(square - apart * apart - aside * aside)
    return (error * square + (2 * (apart + aside) + unsure) * unsure + rest * (of_a + of_b) + slack) * over
