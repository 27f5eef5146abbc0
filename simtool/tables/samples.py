"""Equality of judgments of several tables, whatever the order and the numbers of their trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.tables.trials import Trials
from simtool.tables.vocabulary import places_in

__all__ = ["are_equal", "are_part_of", "order_like"]

#: Odd number whose bits are spread (golden ratio), for hashing by multiplication (Knuth, TAOCP 3, section 6.4).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def are_equal(one: Trials, other: Trials) -> bool:
    """Whether two tables have the same judgments with the same numbers in the same order."""
    return np.array_equal(one.trial_id, other.trial_id) and _agree(one, other)


def order_like(one: Trials, other: Trials) -> NDArray[np.intp] | None:
    """The order in which the judgments of ``other`` are those of ``one``; None if they are different judgments.

    The numbers of trials may differ. Equal judgments are in the order of their numbers.
    """
    if len(one) != len(other):
        return None
    if _agree(one, other):
        return np.arange(len(one))
    first, second = _hashes(one, one), _hashes(other, one)
    if first.sum() != second.sum():
        return None
    theirs, ours = np.lexsort((one.trial_id, first)), np.lexsort((other.trial_id, second))
    if not _agree(one, other, theirs, ours):
        return None
    order = np.empty_like(ours)
    order[theirs] = ours
    return order


def are_part_of(few: Trials, many: Trials) -> bool:
    """Whether all judgments of one table are in another, with the same numbers."""
    order = np.argsort(many.trial_id, kind="stable")
    place = np.searchsorted(many.trial_id, few.trial_id, sorter=order)
    if (place == len(many)).any() or not np.array_equal(many.trial_id[order[place]], few.trial_id):
        return False
    return _agree(many, few, order[place])


def _agree(
    one: Trials,
    other: Trials,
    rows: NDArray[np.intp] | slice = slice(None),
    others: NDArray[np.intp] | slice = slice(None),
) -> bool:
    """Whether some trials of two tables are the same judgments, row by row."""
    if len(one.trial_id[rows]) != len(other.trial_id[others]):
        return False
    pairs = zip(_content(one, one, other), _content(other, one, one), strict=True)
    return all(np.array_equal(mine[rows], theirs[others]) for mine, theirs in pairs)


def _hashes(trials: Trials, like: Trials) -> NDArray[np.uint64]:
    """A hash of each judgment, (T,); equal for equal judgments with the codes of the same table."""
    hashes = np.zeros(len(trials), np.uint64)
    for column in _content(trials, like, like):
        hashes = (hashes ^ column.astype(np.int64).view(np.uint64)) * _SPREAD
        hashes ^= hashes >> np.uint64(32)
    return hashes


def _content(trials: Trials, like: Trials, other: Trials) -> Iterator[NDArray[np.int32]]:
    """The columns of judgments without their numbers, with the codes of another table; (T,) each.

    Names that the other table does not have are -2. There are as many columns as ``other`` or ``trials`` need.
    """
    kinds = np.array([like.types.index(kind) if kind in like.types else -2 for kind in trials.types], np.int32)
    yield kinds[trials.type_index]
    images = _translation(trials.images, like.images)
    yield _translated(trials.query, images)
    for mine, theirs, table in (
        (trials.references, other.references, images),
        (trials.selected, other.selected, None),
    ):
        for place in range(max(mine.shape[1], theirs.shape[1])):
            column = mine[:, place] if place < mine.shape[1] else np.full(len(trials), -1, np.int32)
            yield _translated(column, table)
    for labels, known in ((trials.participant, like.participant), (trials.session, like.session)):
        yield _translated(labels.code, _translation(labels.names, known.names))
    # 0 for -0.0, and -1, which is no weight, for NaN
    yield (np.nan_to_num(trials.weight, nan=-1) + np.float32(0)).view(np.int32)


def _translation(names: Any, known: Any) -> NDArray[np.int32] | None:
    """For each name, and for -1 at the end, the code among other names; None if the names are the same."""
    names, known = pa.array(names, pa.string()), pa.array(known, pa.string())
    if names.equals(known):
        return None
    places = places_in(known, names)
    places[places < 0] = -2
    return np.append(places, np.int32(-1))


def _translated(codes: NDArray[Any], translation: NDArray[np.int32] | None) -> NDArray[Any]:
    return codes if translation is None else translation[codes]
