from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from simtool.tables.trials import Trials
from tests.judgments.rows import lines, odd_rows, table

HEADER = "image1\timage2\timage3\tchoice\tRT\tnoise_ceiling\tsubject_id\tHIT_nr\ttrial_nr\tage\tgender"
SHORT = "image1\timage2\timage3\tchoice"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "raw.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Trials:
    reading = import_judgments(path)
    assert reading.format == "things-raw"
    return reading.judgments.trials


def test_choice_is_the_position_of_the_odd_one_and_images_count_from_1(tmp_path: Path) -> None:
    trials = read(written(tmp_path, "12\t7\t1\t1\t900\t0\tS1\t1\t1\t\t", "3\t2\t9\t3\t800\t2\tS2\t1\t2\tNaN\tf"))
    assert odd_rows(trials) == [["11", "6", "0", "11"], ["2", "1", "8", "8"]]


def test_other_columns_are_kept_with_their_types(tmp_path: Path) -> None:
    rows = (
        "1\t2\t3\t1\t900\t0\tS1\t7\t1\t\t",
        "1\t2\t4\t2\t\t3\tS2\t8\t2\tNaN\tf",
        "1\t2\t5\t3\t800.5\t2\tS1\t7\t3\t31\tf",
    )
    trials = read(written(tmp_path, *rows))
    assert trials.participant.tolist() == ["S1", "S2", "S1"]
    assert trials.session.tolist() == ["7", "8", "7"]
    np.testing.assert_array_equal(trials.response_ms, np.array([900, np.nan, 800.5], np.float32))
    assert {name: column.to_pylist() for name, column in trials.extra.items()} == {
        "noise_ceiling": [0, 3, 2],
        "trial_nr": [1, 2, 3],
        "age": [None, None, 31],
        "gender": [None, "f", "f"],
    }


def test_a_trial_without_a_choice_is_dropped_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "1\t2\t3\t", "1\t2\t4\t2", "1\t2\t5\tNaN", header=SHORT)
    judgments = import_judgments(path, "things-raw").judgments
    assert (len(judgments.trials), judgments.unanswered, judgments.trials.trial_id.tolist()) == (1, 2, [1])


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("0\t1\t2\t1", "line 3 shows image 0, but images count from 1 in this format"),
        ("1\t2\t3\t0", "line 3 has '0' in column choice, which should hold a position from 1 to 3"),
        ("1\t2\t3\t4", "line 3 has '4' in column choice, which should hold a position from 1 to 3"),
        ("1\t2\t3\t1.5", "line 3 has '1.5' in column choice"),
        ("1\t2\tx\t1", "line 3 has 'x', which is not a whole number like other images"),
        ("1\t2\t\t1", "line 3 lacks an image"),
        ("1\t2\t2\t1", "line 3 shows a reference twice"),
        ("1\t2\t2", "line 3 has 3 cells, the header 4"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    path = written(tmp_path, "1\t2\t3\t1", row, header=SHORT)
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(path, "things-raw")
    assert complaint in str(failure.value)


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "1\t2\t3\t1\t2", header="image1\timage2\timage3\tchoice\tchoice")
    with pytest.raises(JudgmentsError, match="the header has choice twice"):
        import_judgments(path, "things-raw")


@pytest.mark.parametrize("first", ["query,", "reference,", "image4,", ""])
def test_a_choice_of_another_design_is_not_taken_for_the_position_of_the_odd_one(tmp_path: Path, first: str) -> None:
    header = f"{first}image1,image2,image3,choice"
    path = written(tmp_path, ",".join(str(number) for number in range(header.count(",") + 1)), header=header)
    with pytest.raises(JudgmentsError, match=r"need the header|the header should be"):
        import_judgments(path)


def test_a_format_that_was_forced_names_the_missing_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,3", header="image1,image2,odd")
    with pytest.raises(JudgmentsError, match="not THINGS' raw judgments: no columns image3, choice"):
        import_judgments(path, "things-raw")


def test_a_fourth_image_is_not_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,3,4,1", header="image1,image2,image3,image4,choice")
    with pytest.raises(JudgmentsError, match="they show three images, not image4"):
        import_judgments(path, "things-raw")


def test_the_sample_is_read_rightly(formats: Path) -> None:
    folder = formats / "things-raw"
    trials = read(folder / "triplets_large_final_correctednc_correctedorder.csv")
    expected = folder / "expected.csv"
    names = lines(formats / "triplets-odd-last" / "unique_id.txt")
    assert odd_rows(trials, names) == table(expected, "image_1", "image_2", "image_3", "odd")
    told = zip(trials.participant.tolist(), trials.extra["noise_ceiling"].to_pylist(), strict=True)
    assert [[who, str(repeat)] for who, repeat in told] == table(expected, "subject", "noise_ceiling")
