"""Shapes, names, the choice among several RDMs, and the meaning of the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, names_of, stacked, table_of
from simtool.tables.files import TableError
from tests.rdms.written import MATRIX, NAMES, TRIANGLE, names_file

SOURCE = Path("some.npy")


def test_a_matrix_and_its_triangle_are_the_same_distances() -> None:
    square, triangle = (stacked(SOURCE, np.array(each)).rdm(SOURCE, 0, NAMES) for each in (MATRIX, TRIANGLE))
    tables = [table_of(SOURCE, each, Request()) for each in (square, triangle)]
    for table in tables:
        assert table.distance.tolist() == TRIANGLE
        assert table.image_id.tolist() == NAMES
        assert table.info.name == "some"


@pytest.mark.parametrize(
    ("shape", "count", "ndim"),
    [((3, 3), 1, 2), ((2, 3, 3), 2, 2), ((3,), 1, 1), ((2, 3), 2, 1), ((1, 6), 1, 1), ((6, 1), 1, 1), ((1, 1), 1, 1)],
)
def test_shapes_tell_matrices_from_triangles(shape: tuple[int, ...], count: int, ndim: int) -> None:
    found = stacked(SOURCE, np.zeros(shape))
    assert [array.ndim for array in found.arrays] == [ndim] * count


@pytest.mark.parametrize("shape", [(), (0,), (2,), (3, 4), (0, 0), (2, 3, 4), (2, 2, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RdmError, match=r"some\.npy: an array of shape .*is no square matrix"):
        stacked(SOURCE, np.zeros(shape))


@pytest.mark.parametrize("kind", [bool, complex, "U3"])
def test_values_that_are_no_numbers_are_refused(kind: Any) -> None:
    with pytest.raises(RdmError, match="not numbers"):
        stacked(SOURCE, np.zeros((3, 3), kind))


def test_one_of_several_is_chosen_by_name_or_number() -> None:
    stack = Stack([MATRIX, 2 * MATRIX], ["anna", "7"])
    assert [stack.choose(SOURCE, wanted) for wanted in ("anna", "7", "0", "1")] == [0, 1, 0, 1]
    with pytest.raises(RdmError, match="holds 2 RDMs: anna, 7; choose one of them with --rdm"):
        stack.choose(SOURCE, None)
    with pytest.raises(RdmError, match="holds no RDM ben; it holds anna, 7"):
        stack.choose(SOURCE, "ben")
    assert stack.rdm(SOURCE, 1, NAMES).label == "7"
    assert stacked(SOURCE, MATRIX).rdm(SOURCE, 0, NAMES).label is None


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (NAMES[:2], "2 names for 3 images"),
        ([*NAMES, "x"], "4 names for 3 images"),
        (["a", "b", "a"], "names are repeated: a; each image needs another name"),
        (["a", "", "b"], r"image 1 \(from 0\) has no name"),
    ],
)
def test_names_that_do_not_fit_are_refused(names: list[str], complaint: str) -> None:
    with pytest.raises(RdmError, match=complaint):
        stacked(SOURCE, MATRIX).rdm(SOURCE, 0, names)


def test_names_come_from_a_file(tmp_path: Path) -> None:
    assert names_of(SOURCE, Request(names=names_file(tmp_path))) == NAMES
    with pytest.raises(RdmError, match="it does not name its images: give a file with one name a line as --names"):
        names_of(SOURCE, Request())


def of(values: Any, measure: str | None = None) -> Rdm:
    return stacked(SOURCE, np.array(values, float)).rdm(SOURCE, 0, NAMES, measure)


def test_a_similarity_becomes_its_negative_and_keeps_order_and_ties() -> None:
    similar = of([[9, 1, 3], [1, 9, 3], [3, 3, 9]])
    table = table_of(SOURCE, similar, Request(similarity=True))
    assert table.distance.tolist() == [-1, -3, -3]
    assert table.info.measure == "-similarity"
    with pytest.raises(TableError, match=r"the distance of 3 images to itself is not 0.*--similarity"):
        table_of(SOURCE, similar, Request())


def test_a_direction_runs_from_row_to_column() -> None:
    table = table_of(SOURCE, of([[0, 1, 2], [3, 0, 4], [5, 6, 0]]), Request(symmetric=False))
    ends = zip(table.first.tolist(), table.second.tolist(), strict=True)
    assert dict(zip(ends, table.distance, strict=True))[2, 1] == 6
    with pytest.raises(TableError, match=r"wren.png and owl.png 1 and 3; .*--asymmetric"):
        table_of(SOURCE, of([[0, 1, 2], [3, 0, 2], [2, 2, 0]]), Request())
    with pytest.raises(RdmError, match="the triangle of a symmetric matrix; leave --asymmetric out"):
        table_of(SOURCE, of(TRIANGLE), Request(symmetric=False))


def test_only_a_measure_across_folds_may_be_negative() -> None:
    assert table_of(SOURCE, of([-1, 2, 3], "crossnobis"), Request()).distance.min() == -1
    with pytest.raises(TableError, match=r"a negative distance in 1 pair: wren.png and owl.png"):
        table_of(SOURCE, of([-1, 2, 3], "euclidean"), Request())


def test_missing_numbers_are_named() -> None:
    with pytest.raises(TableError, match=r"NaN instead of a distance in 1 pair: wren.png and robin.png"):
        table_of(SOURCE, of([1, np.nan, 3]), Request())
