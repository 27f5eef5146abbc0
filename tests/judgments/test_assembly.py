from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simtool.judgments.assembly import JudgmentsError, Places, Record, assemble, in_images, summary

PLACES = Places("study", lambda row: f"study: row {row}")


def record(references: list[list[int]], selected: list[list[int]], query: list[int] | None = None) -> Record:
    """Judgments over 200 images, all of query 0 if nothing else is said, ranked."""
    count = len(references)
    return Record(
        images=np.array([f"image {number}" for number in range(200)], object),
        query=np.array([0] * count if query is None else query),
        references=np.array(references),
        selected=np.array(selected),
        ranked=np.ones(count, bool),
        trial_id=np.arange(count) + 100,
    )


def test_types_follow_from_what_was_shown_and_chosen() -> None:
    trials = assemble(record([[1, 2, 3], [4, 5, -1]], [[2, 0], [1, -1]]), PLACES).trials
    assert [str(trials.types[index]) for index in trials.type_index] == ["3-rank-2", "2-choose-1"]
    assert summary(trials) == "2 trials (1 3-rank-2, 1 2-choose-1) of 6 images"


def test_judgments_without_a_query_are_odd_one_out() -> None:
    judged = replace(record([[1, 2, 3, -1], [4, 5, 6, 7]], [[2], [0]]), query=None)
    trials = assemble(judged, PLACES).trials
    assert [str(trials.types[index]) for index in trials.type_index] == ["3-odd-1", "4-odd-1"]
    assert trials.query.tolist() == [-1, -1]
    assert trials.images[trials.references[1]].tolist() == ["image 4", "image 5", "image 6", "image 7"]
    with pytest.raises(JudgmentsError, match=r"^study: row 0 has fewer than three images$"):
        assemble(replace(judged, references=np.array([[1, 2, -1], [4, 5, 6]]), selected=np.array([[0], [0]])), PLACES)


def test_padding_that_no_trial_needs_any_more_is_cut() -> None:
    judgments = assemble(record([[0, 1, 2, 3], [1, 2, -1, -1]], [[0, 1], [0, -1]]), PLACES)
    assert judgments.catch == 1
    assert judgments.trials.references.shape == (1, 2)
    assert judgments.trials.selected.shape == (1, 1)
    assert judgments.trials.trial_id.tolist() == [101]


def test_a_complaint_names_the_row_of_the_source_not_of_what_is_left() -> None:
    with pytest.raises(JudgmentsError, match=r"^study: row 2 \(and 1 more\) shows a reference twice$"):
        assemble(record([[0, 1], [1, 2], [3, 3], [4, 4]], [[0], [0], [0], [0]]), PLACES)


def test_more_references_than_a_table_can_number_are_refused() -> None:
    with pytest.raises(JudgmentsError, match="row 0 has more than 128 references"):
        assemble(record([list(range(1, 130))], [[0]]), PLACES)
    assert len(assemble(record([list(range(1, 129))], [[127]]), PLACES).trials) == 1


def test_judgments_are_renamed_as_a_table_names_their_images() -> None:
    judgments = assemble(record([[1, 2]], [[0]]), PLACES)
    table = np.array([f"class/image {number}" for number in range(3)], object)
    renamed, matches = in_images(judgments, table, "t")
    assert matches.note == "matched 3 of 3 images by spelling (folders)"
    assert renamed.trials.images.tolist() == ["class/image 0", "class/image 1", "class/image 2"]
    assert renamed.trials.query is judgments.trials.query


def test_images_that_a_table_lacks_are_named_with_ids_of_both_sides() -> None:
    judgments = assemble(record([[1, 2]], [[0]]), PLACES)
    complaint = r"^cub\.parquet: lacks images that are needed \(2 of 3\): image 1, image 2; its ids are image 0, tern$"
    with pytest.raises(JudgmentsError, match=complaint):
        in_images(judgments, np.array(["image 0", "tern"], object), "cub.parquet")
