from __future__ import annotations

import numpy as np
import pytest

from simtool.analysis.relations import relations_of
from simtool.scoring.distances import SimilarityError
from simtool.tables.images import Images
from simtool.tables.trials import Trials

CLASS_SELECTED, CLASS_OTHER, GROUP_SELECTED, GROUP_OTHER = 1, 2, 4, 8
NAMES = ["query", "twin", "cousin", "stranger"]
TRIALS = Trials.build(
    NAMES, ["3-rank-2", "2-choose-1"], np.array([0, 0]), np.array([[3, 1, 2], [2, 3, -1]]), np.array([[1, 2], [1, -1]])
)


def images(**columns: object) -> Images:
    return Images.build(NAMES[::-1], NAMES, **columns)


def test_bits_say_which_reference_shares_the_querys_class_and_group() -> None:
    table = images(class_name=["owl", "tit", "wren", "wren"], group_name=["far", "near", "near", "near"])
    # twin over stranger, twin over cousin, cousin over stranger; stranger over cousin
    twin = CLASS_SELECTED | GROUP_SELECTED
    expected = [[twin, twin | GROUP_OTHER, GROUP_SELECTED], [GROUP_OTHER, -1, -1]]
    assert relations_of(TRIALS, table).tolist() == expected


def test_unknown_classes_and_groups_are_shared_with_nobody() -> None:
    assert relations_of(TRIALS, images()).tolist() == [[0, 0, 0], [0, -1, -1]]


def test_class_ids_stand_in_for_names() -> None:
    found = relations_of(TRIALS, images(class_id=[3, 2, 1, 1]))
    assert found.tolist() == [[CLASS_SELECTED, CLASS_SELECTED, 0], [0, -1, -1]]


def test_missing_images_are_counted_and_named() -> None:
    table = Images.build(["query", "twin"], ["a", "b"])
    with pytest.raises(SimilarityError, match=r"lacks images that are needed \(2 of 4\): cousin, stranger; its"):
        relations_of(TRIALS, table)
    with pytest.raises(SimilarityError, match=r"^birds\.parquet: lacks images"):
        relations_of(TRIALS, table, "birds.parquet")


def test_images_that_no_trial_shows_may_be_missing() -> None:
    found = relations_of(TRIALS.take(np.array([1])), Images.build(["query", "cousin", "stranger"], ["a", "b", "c"]))
    assert found.tolist() == [[0, -1, -1]]
