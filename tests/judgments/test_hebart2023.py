from __future__ import annotations

from pathlib import Path

import pytest

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import lines, odd_rows, table


@pytest.mark.parametrize(
    "text",
    ["img1,img2,ooo\n6,10,11\n0,5,7\n", ",img1,img2,ooo\n0,6,10,11\n1,0,5,7\n", "ooo,img2,img1\n11,10,6\n7,5,0\n"],
)
def test_ooo_is_the_odd_one_and_images_count_from_0(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set"
    path.write_text(text)
    reading = import_judgments(path)
    assert reading.format == "hebart2023"
    assert odd_rows(reading.judgments.trials) == [["6", "10", "11", "11"], ["0", "5", "7", "7"]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("img1,img2,ooo\n1,2,3\n1,2,-3\n", "line 3 shows image -3, but images count from 0"),
        ("img1,img2,ooo\n1,2,2\n", "line 2 shows a reference twice"),
        ("img1,img2,ooo\n1,2,\n", "line 2 lacks an image"),
        ("img1,img2,ooo\n", "no trials below the header"),
        ("img1,img2,ooo,ooo\n1,2,3,4\n", "the header has ooo twice"),
        ("img1,img2,img3,ooo\n1,2,3,3\n", "odd-one-out judgments need the header image_1"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "set.csv"
    path.write_text(text)
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(path)
    assert complaint in str(failure.value)


def test_the_sample_is_read_rightly(formats: Path) -> None:
    folder = formats / "brainscore-hebart2023"
    trials = import_judgments(folder / "validationset.csv").judgments.trials
    expected = table(folder / "expected.csv", "image_1", "image_2", "image_3", "odd")
    assert odd_rows(trials, lines(folder / "unique_id.txt")) == expected
