from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simtool.judgments.classes import classes_of, groups_of, with_classes
from simtool.tables.files import TableError
from simtool.tables.images import Images
from simtool.tables.trials import Trials

NAMES = ["query", "twin", "cousin", "stranger"]
TRIALS = Trials.build(
    NAMES, ["3-rank-2", "2-choose-1"], np.array([0, 0]), np.array([[3, 1, 2], [2, 3, -1]]), np.array([[1, 2], [1, -1]])
)


def images(**columns: object) -> Images:
    return Images.build(NAMES[::-1], NAMES, **columns)


def columns(trials: Trials) -> dict[str, list[Any]]:
    return {name: column.to_pylist() for name, column in trials.extra.items()}


def test_trials_get_the_classes_and_groups_of_their_images() -> None:
    table = images(class_name=["owl", "tit", "wren", "wren"], group_name=["far", "near", "near", "near"])
    assert columns(with_classes(TRIALS, table)) == {
        "query_class": ["wren", "wren"],
        "reference_classes": [["owl", "wren", "tit"], ["tit", "owl"]],
        "query_group": ["near", "near"],
        "reference_groups": [["far", "near", "near"], ["near", "far"]],
    }


def test_odd_one_out_trials_have_no_class_of_a_query() -> None:
    odd = Trials.build(NAMES, ["3-odd-1"], np.array([-1]), np.array([[3, 1, 2]]), np.array([[0]]))
    found = columns(with_classes(odd, images(class_name=["owl", "tit", "wren", "wren"])))
    assert (found["query_class"], found["reference_classes"]) == ([None], [["owl", "wren", "tit"]])


def test_unknown_classes_and_groups_are_null() -> None:
    found = columns(with_classes(TRIALS, images(class_name=["owl", None, "wren", None])))
    assert found["query_class"] == [None, None]
    assert found["reference_classes"] == [["owl", "wren", None], [None, "owl"]]
    assert found["reference_groups"] == [[None] * 3, [None] * 2]


def test_class_ids_stand_in_for_names() -> None:
    assert columns(with_classes(TRIALS, images(class_id=[3, 2, 1, 1])))["query_class"] == ["1", "1"]


def test_other_columns_are_kept_and_columns_of_the_same_name_replaced() -> None:
    trials = replace(TRIALS, extra={"age": pa.array([3, 4]), "query_class": pa.array(["x", "y"])})
    found = columns(with_classes(trials, images(class_id=[3, 2, 1, 1])))
    assert (found["age"], found["query_class"]) == ([3, 4], ["1", "1"])


def test_missing_images_are_counted_and_named() -> None:
    table = Images.build(["query", "twin"], ["a", "b"])
    with pytest.raises(TableError, match=r"lacks images that are needed \(2 of 4\): cousin, stranger; its"):
        with_classes(TRIALS, table)
    with pytest.raises(TableError, match=r"^birds\.parquet: lacks images"):
        with_classes(TRIALS, table, "birds.parquet")


def test_images_that_no_trial_shows_may_be_missing() -> None:
    table = Images.build(["query", "cousin", "stranger"], ["a", "b", "c"], class_name=["wren", "tit", "owl"])
    found = with_classes(TRIALS.take(np.array([1])), table)
    assert columns(found)["reference_classes"] == [["tit", "owl"]]


def test_the_class_of_each_image_is_found_in_the_columns() -> None:
    found = classes_of(with_classes(TRIALS, images(class_name=["owl", "tit", None, "wren"])))
    assert found is not None
    assert found.tolist() == ["wren", None, "tit", "owl"]
    assert classes_of(TRIALS) is None


def test_classes_in_plain_text_of_other_programs_are_read() -> None:
    extra = {"query_class": pa.array(["a", "a"]), "reference_classes": pa.array([["d", "b", "c"], ["c", "d"]])}
    found = classes_of(replace(TRIALS, extra=extra))
    assert found is not None
    assert found.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("classes", [[["d"], ["c", "d"]], [[[1], [2], [3]], [[1], [2]]]])
def test_columns_that_do_not_fit_the_references_are_refused(classes: list[Any]) -> None:
    extra = {"query_class": pa.array(["a", "a"]), "reference_classes": pa.array(classes)}
    with pytest.raises(TableError, match="reference_classes"):
        classes_of(replace(TRIALS, extra=extra))


def test_groups_are_read_like_classes_and_nulls_tell_nothing() -> None:
    table = images(class_name=["owl", None, "wren", None], group_name=["far", "near", "near", None])
    trials = with_classes(TRIALS, table)
    for found, expected in (
        (classes_of(trials), [None, "wren", None, "owl"]),
        (groups_of(trials), [None, "near", "near", "far"]),
    ):
        assert found is not None
        assert found.tolist() == expected


def test_two_classes_of_one_image_are_refused() -> None:
    trials = with_classes(TRIALS, images(class_name=["owl", "tit", "wren", "wren"]))
    other = replace(trials, extra={**trials.extra, "query_class": pa.array(["wren", "jay"])})
    with pytest.raises(TableError, match="give the image query two labels: jay and wren; score all trials"):
        classes_of(other)


def test_trials_without_labels_among_others_tell_nothing() -> None:
    trials = with_classes(TRIALS, images(class_name=["owl", "tit", "wren", "wren"]))
    extra = {
        **trials.extra,
        "query_class": pa.array(["wren", None]),
        "reference_classes": pa.array([["owl", "wren", "tit"], None]),
    }
    found = classes_of(replace(trials, extra=extra))
    assert found is not None
    assert found.tolist() == ["wren", "wren", "tit", "owl"]
