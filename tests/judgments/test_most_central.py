from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import lines, near_rows, table


def written(folder: Path, *rows: str) -> Path:
    path = folder / "survey"
    path.write_text("\n".join(("survey,central,a,b,c,time", *rows)) + "\n")
    return path


def test_the_central_image_is_nearer_to_both_others_than_they_are(tmp_path: Path) -> None:
    reading = import_judgments(written(tmp_path, "1,7,12,7,11,2.5", "2,3,3,1,2,4"))
    assert reading.format == "most-central"
    trials = reading.judgments.trials
    assert near_rows(trials) == [["11", "6", "10"], ["0", "2", "1"], ["10", "6", "11"], ["1", "2", "0"]]
    assert trials.session.tolist() == ["1", "2", "1", "2"]
    np.testing.assert_array_equal(trials.response_ms, np.array([2500, 4000, 2500, 4000], np.float32))
    assert trials.trial_id.tolist() == [0, 1, 2, 3]
    assert reading.judgments.notes == ("each of 2 rows became two trials, one for each image beside the central one",)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("1,4,1,2,3,9", "line 3 has a central image that is not one of its three images"),
        ("1,1,1,1,3,9", "line 3 has a central image that is not one of its three images"),
        ("1,1,1,2,0,9", "line 3 shows image 0, but images count from 1"),
        ("1,1,1,2,3,x", "line 3 has 'x' in column time"),
        ("1,2,2,1,1,9", "line 3 shows an image twice"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(written(tmp_path, "1,7,12,7,11,2.5", row), "most-central")
    assert complaint in str(failure.value)


def test_other_columns_of_numbers_are_no_such_judgments(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="the header should be"):
        import_judgments(written(tmp_path, "1,7,12,7,11,2.5", "1,4,1,2,3,9"))


@pytest.mark.parametrize(
    ("header", "design"),
    [
        ("session,odd_one,image_1,image_2,image_3,response_ms", "3-odd-1"),
        ("session,selected_1,reference_1,reference_2,query,response_ms", "2-choose-1"),
    ],
)
def test_a_table_whose_second_column_is_the_selection_keeps_its_meaning(
    tmp_path: Path, header: str, design: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{header}\n1,1,1,2,3,900\n1,5,4,5,6,900\n")
    reading = import_judgments(path)
    assert reading.format == "csv"
    assert list(map(str, reading.judgments.trials.types)) == [design]


def test_a_row_that_cannot_be_read_is_no_such_judgment(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="the header should be"):
        import_judgments(written(tmp_path, "1,7,12,7,11,2.5", f'1,"{"7" * 200_000}",1,2,3,9'))


def test_the_sample_is_read_rightly(formats: Path) -> None:
    folder = formats / "cblearn"
    trials = import_judgments(folder / "cars-survey_data.csv").judgments.trials
    names = lines(formats / "triplets-odd-last" / "unique_id.txt")
    expected = []
    for *three, central in table(folder / "expected-cars.csv", "image_1", "image_2", "image_3", "central"):
        first, second = (name for name in three if name != central)
        expected += [[first, central, second], [second, central, first]]
    assert sorted(near_rows(trials, names)) == sorted(expected)
