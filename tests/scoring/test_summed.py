"""The sum of standardized distances of tables of distances."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.scoring.distances import SimilarityError
from simtool.scoring.summed import summed
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.files import TableError

IDS = np.array(["a", "b", "c", "d"], object)


def pairs(matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]], order: list[int], **info: bool) -> DistanceTable:
    """The distances of a matrix; the table lists the images in another order."""
    rows, columns = np.nonzero(~np.eye(len(matrix), dtype=bool))
    if info.get("symmetric", True):
        rows, columns = rows[rows < columns], columns[rows < columns]
    place = np.argsort(order).astype(np.int32)
    found = Pairs(IDS[order], place[rows], place[columns], matrix[rows, columns])
    return DistanceTable.of(found, DistanceInfo("table", measure="any", **info))


def square(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).standard_normal((4, 4))


def test_pairs_of_tables_in_any_order_are_added_up() -> None:
    one, other = (each + each.T for each in (square(0), square(1)))
    found = summed([pairs(one, [2, 0, 3, 1]), pairs(other, [0, 1, 2, 3])], [1, 3], "both")
    upper = np.triu_indices(4, 1)
    expected = one / one[upper].std() + 3 * other / other[upper].std()
    place = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(found.distance, expected[place[found.first], place[found.second]])
    assert (found.info.name, found.info.symmetric, len(found), found.source) == ("both", True, 6, None)


def test_the_direction_of_distances_is_kept() -> None:
    one, other = square(2), square(3)
    tables = [pairs(one, [0, 1, 2, 3], symmetric=False), pairs(other, [3, 1, 0, 2], symmetric=False)]
    found = summed(tables, [1, 1], "both")
    off = ~np.eye(4, dtype=bool)
    expected = one / one[off].std() + other / other[off].std()
    np.testing.assert_allclose(found.distance, expected[found.first, found.second])
    with pytest.raises(SimilarityError, match="its distances have a direction"):
        summed([tables[0], pairs(one + one.T, [0, 1, 2, 3])], [1, 1], "both")


def test_missing_pairs_and_images_and_equal_distances_are_refused() -> None:
    whole = pairs(square(4) + square(4).T, [0, 1, 2, 3])
    few = DistanceTable.of(
        Pairs(IDS, np.array([0, 2], np.int32), np.array([1, 3], np.int32), np.array([1.0, 2.0])), DistanceInfo("few")
    )
    assert len(summed([few, whole], [1, 1], "both")) == 2
    with pytest.raises(SimilarityError, match="few: lacks 4 pairs of table: a and c, a and d, b and c and 1 more"):
        summed([whole, few], [1, 1], "both")
    other = Pairs(IDS[:2], np.array([0], np.int32), np.array([1], np.int32), np.array([1.0]))
    with pytest.raises(TableError, match="two: lacks images that are needed"):
        summed([whole, DistanceTable.of(other, DistanceInfo("two"))], [1, 1], "both")
    with pytest.raises(SimilarityError, match="flat: given is the same for all pairs of images"):
        summed(
            [DistanceTable.of(Pairs(few.image_id, few.first, few.second, np.ones(2)), DistanceInfo("flat"))], [1], ""
        )
