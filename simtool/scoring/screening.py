"""Judging comparisons by squared distances, with a bound of their errors.

Many distances follow from the squared distance of two vectors and from sums of each vector. One loop over the trials
looks up the squared distances of the pairs of each trial, and judges the comparisons by all of these distances. A
comparison whose distances differ by less than their errors remains undecided.

The squared distances of all pairs come from a matrix in single precision first. The few distances that it cannot tell
apart are computed again from the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring import kernels
from simtool.scoring.columns import Columns
from simtool.scoring.distances import Distance, Term
from simtool.scoring.gram import Gram
from simtool.scoring.measuring import FLOOR, Names, check_rows
from simtool.scoring.pairs import PairNumbers, look_up
from simtool.scoring.plan import STEP, Display, Plan
from simtool.scoring.rows import RowSums
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["is_screened", "screen"]

Indices: TypeAlias = NDArray[np.uint32]
Values: TypeAlias = NDArray[np.float64]
Credit: TypeAlias = NDArray[np.float32]

#: Relative error of the last steps of a formula.
_ROUNDING = 2.0**-50
#: Cosines of vectors of whole numbers are exact fractions if no squared length has more units.
_WHOLE = 1 << 12
#: No numbers.
_NONE = np.empty((1, 0))
#: How a distance follows from squared distances.
_SQUARE, _ANGLE, _FRACTION = range(3)
#: The share of comparisons that single precision cannot decide, beyond which a matrix in double precision costs less,
#: and the steps of trials that tell it.
_UNDECIDED, _PROBE = 1 / 64, 2


class Squares(NamedTuple):
    """The squared distances of pairs.

    Attributes:
        values: (numbers,) the squared distance s of each pair by its number, or their inner product.
        norms: (n,) the squared lengths that make squared distances of inner products; nothing for squared distances.
        block: (n, D) the vectors, to compute a squared distance again; nothing if that is of no use.
    """

    values: NDArray[Any]
    norms: Values
    block: NDArray[Any]


class Views(NamedTuple):
    """How distances follow from the squared distance s of x and y.

    Attributes:
        kinds: s itself, or the angle (s - (a - b)² - (g - h)²) / (a b), or a cosine from exact squared lengths a and b.
        tables: (distances, n, 3) a, g and 1 / a of each vector.
        errors: (distances, 2) the largest errors of the difference of two distances, from given squared distances and
            from those that are computed again; 0 if equal distances are ties.
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
) -> Credit:
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
    if not plan.numbers.dense:
        return _by_list(columns, plan, distances, names, advance)
    if columns.width >= columns.dimension:
        credit = _by_single_matrix(columns, plan, distances, names, advance)
        if credit is not None:
            return credit
        return _by_double_matrix(columns, plan, distances, names, lambda _: None)
    return _by_double_matrix(columns, plan, distances, names, advance)


def _by_list(
    columns: Columns,
    plan: Plan,
    distances: Sequence[Distance],
    names: Names | None,
    advance: Callable[[int], object],
) -> Credit:
    """See :func:`screen`; from the squared distances of the pairs in the list."""
    rows, values = RowSums(columns), np.zeros(len(plan.pairs))
    for span, block in rows.blocks():
        rows.add(block)
        kernels.add_over_pairs(kernels.SQUARES, block, plan.pairs, values)
        del block  # makes room for the next one
        advance(span.stop - span.start)
    check_rows(rows, distances, names)
    views = _views(distances, rows, float(values.max(initial=0)))
    return _judged(plan, Squares(values, _NONE[0], _NONE), views)


def _by_double_matrix(
    columns: Columns,
    plan: Plan,
    distances: Sequence[Distance],
    names: Names | None,
    advance: Callable[[int], object],
) -> Credit:
    """See :func:`screen`; from the squared distances of all pairs."""
    rows = RowSums(columns)
    gram = Gram.of(rows, np.float64, advance)
    check_rows(rows, distances, names)
    views = _views(distances, rows, 4 * gram.longest, 8 * gram.longest)
    return _judged(plan, Squares(gram.products.reshape(-1), gram.norms, _NONE), views)


def _by_single_matrix(
    columns: Columns,
    plan: Plan,
    distances: Sequence[Distance],
    names: Names | None,
    advance: Callable[[int], object],
) -> Credit | None:
    """See :func:`screen`; from inner products in single precision. None if many comparisons remain undecided."""
    rows = RowSums(columns)
    gram = Gram.of(rows, np.float32, advance)
    check_rows(rows, distances, names)
    error = gram.error(rows)
    if error and rows.are_exact():
        return None  # there may be ties
    views = _views(distances, rows, 4 * gram.longest, 8 * gram.longest, error)
    squares = Squares(gram.products.reshape(-1), gram.norms, _NONE)
    if np.isnan(_judged(plan, squares, views, _PROBE)).mean() > _UNDECIDED:
        return None
    return _judged(plan, squares._replace(block=gram.block), views)


def _views(
    distances: Sequence[Distance], rows: RowSums, largest: float, slack: float = 0.0, single: float = 0.0
) -> Views:
    """How the distances follow from squared ones.

    Args:
        distances: the distances.
        rows: sums of each vector.
        largest: the largest squared distance.
        slack: the errors of squared distances apart from relative ones, over the tolerance.
        single: the errors of squared distances by single precision.
    """
    double = 0.0 if rows.are_exact() else rows.tolerance * (largest + slack)
    found = [_view(each, rows, largest, double + single) for each in distances]
    again = [_view(each, rows, largest, double)[2] for each in distances]
    kinds, tables, errors = map(np.array, zip(*found, strict=True))
    return Views(kinds, tables, np.stack([errors, again], axis=1))


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


def _judged(plan: Plan, squares: Squares, views: Views, steps: int | None = None) -> Credit:
    """The credit of the comparisons of the first steps of trials, or of all."""
    steps = min(plan.first.size, steps or plan.first.size)
    count = int(plan.first[steps]) if steps < plan.first.size else plan.trials.comparisons
    credit = np.empty((views.kinds.size, count), np.float32)
    choices = _choices(plan.display) if plan.numbers.dense else None
    in_threads(
        lambda start, stop: (
            _judge(plan.display, plan.numbers, squares, views, plan.first, credit, start, stop)
            if choices is None
            else _judge_choices(plan.display, *choices, squares, views, credit, start, stop)
        ),
        steps,
    )
    return credit


def _choices(display: Display) -> tuple[NDArray[np.uint16], NDArray[np.uint16]] | None:
    """The near and the far reference of each selection if it is the choice of one of two references; else None."""
    if (np.diff(display.start) != 1).any() or (display.left >= 0).any():
        return None
    near, far = (display.right[display.pair_start[:-1] + pair] for pair in (display.near, display.far))
    return near.astype(np.uint16), far.astype(np.uint16)


@compiled
def _judge_choices(
    display: Display,
    near: NDArray[np.uint16],
    far: NDArray[np.uint16],
    squares: Squares,
    views: Views,
    credit: Credit,
    start: int,
    stop: int,
) -> None:
    """Judge the trials of some steps, of one comparison each, by inner products; see :func:`_judge`."""
    query, references, position, of_trial, _, _, _, _, _, _ = display
    values, norms, block = squares
    images = np.uint64(norms.size)
    x, y, z = np.empty(STEP, np.uint32), np.empty(STEP, np.uint32), np.empty(STEP, np.uint32)
    one, other = np.empty(STEP), np.empty(STEP)
    for step in range(start, stop):
        first, last = np.uint64(step * STEP), np.uint64(min((step + 1) * STEP, query.size))
        for at in range(last - first):
            trial = first + at
            selection = np.uint64(of_trial[trial])
            a = np.uint64(position[np.uint64(query[trial])])
            b = np.uint64(position[np.uint64(references[trial, np.uint64(near[selection])])])
            c = np.uint64(position[np.uint64(references[trial, np.uint64(far[selection])])])
            x[at], y[at], z[at] = a, b, c
            one[at] = norms[a] + norms[b] - 2 * np.float64(values[min(a, b) * images + max(a, b)])
            other[at] = norms[a] + norms[c] - 2 * np.float64(values[min(a, c) * images + max(a, c)])
        for distance in range(len(credit)):
            kind, table, errors = views.kinds[distance], views.tables[distance], views.errors[distance]
            out = credit[distance, np.int64(first) : np.int64(last)]
            for at in range(last - first):
                gap = _distance(kind, table, x[at], z[at], other[at]) - _distance(kind, table, x[at], y[at], one[at])
                out[at] = gap > 0
                if not abs(gap) > errors[0]:
                    out[at] = np.nan if errors[0] else 0.5
            if block.size:
                for at in range(last - first):
                    if np.isnan(out[at]):
                        out[at] = _judge_again(kind, table, errors[1], block, x[at], y[at], x[at], z[at])


@compiled
def _judge(
    display: Display,
    numbers: PairNumbers,
    squares: Squares,
    views: Views,
    first: NDArray[np.int64],
    credit: Credit,
    start: int,
    stop: int,
) -> None:
    """Judge the comparisons of the trials of some steps; ``first`` are the first comparisons of all steps.

    Indices are unsigned, because signed ones may count from the end, which takes a third of the time.
    """
    query, references, position, of_trial, pair_start, left, right, comparison_start, near, far = display
    block = squares.block
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
            kind, table, errors = views.kinds[distance], views.tables[distance], views.errors[distance]
            _evaluate(kind, table, x, y, squares, number, own)
            out = credit[distance, first[step] : first[step] + np.int64(comparisons)]
            for comparison in range(out.size):
                a, b = one[comparison], other[comparison]
                gap = value[b] - value[a]
                out[comparison] = gap > 0
                if not abs(gap) > errors[0]:
                    out[comparison] = np.nan if errors[0] else 0.5
            if block.size:
                for comparison in range(out.size):
                    if np.isnan(out[comparison]):
                        a, b = one[comparison], other[comparison]
                        out[comparison] = _judge_again(kind, table, errors[1], block, x[a], y[a], x[b], y[b])


@compiled
def _evaluate(kind: int, table: Values, x: Indices, y: Indices, squares: Squares, number: Indices, out: Values) -> None:
    """Compute distances of pairs, (P,)."""
    values, norms, _ = squares
    for pair in range(out.size):
        square = np.float64(values[number[pair]])
        if norms.size:
            square = norms[x[pair]] + norms[y[pair]] - 2 * square
        out[pair] = _distance(kind, table, x[pair], y[pair], square)


@compiled
def _distance(kind: int, table: Values, x: int, y: int, square: float) -> float:
    """The distance of two vectors from their squared distance."""
    if kind == _SQUARE:
        return square
    a, b = table[x, 0], table[y, 0]
    if kind == _ANGLE:
        aside = table[x, 1] - table[y, 1]
        return float((square - (a - b) * (a - b) - aside * aside) * (table[x, 2] * table[y, 2]))
    # The square of a cosine is a fraction of whole numbers below 2^24; different fractions differ by 2^-48.
    product = (a + b - square) / 2
    return float(-product * abs(product) / (a * b))


@compiled
def _judge_again(kind: int, table: Values, error: float, block: NDArray[Any], x: int, y: int, u: int, v: int) -> float:
    """The credit for x and y nearer than u and v, by squared distances in double precision; NaN within the error."""
    one, other = kernels.square(block[x], block[y]), kernels.square(block[u], block[v])
    gap = _distance(kind, table, u, v, other) - _distance(kind, table, x, y, one)
    return 1.0 * (gap > 0) if abs(gap) > error else np.nan
