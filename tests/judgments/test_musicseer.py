from __future__ import annotations

from pathlib import Path

import pytest

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import near_rows, table

HEADER = "judgement survey user target chosen other"


def written(folder: Path, *rows: str) -> Path:
    path = folder / "results"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


def test_the_chosen_artist_is_nearer_to_the_target_than_the_other(tmp_path: Path) -> None:
    reading = import_judgments(written(tmp_path, "0 S u0 111 106 110", "1 G u1 101 105 107"))
    assert reading.format == "musicseer"
    trials = reading.judgments.trials
    assert near_rows(trials) == [["111", "106", "110"], ["101", "105", "107"]]
    assert trials.participant.tolist() == ["u0", "u1"]
    assert trials.extra["survey"].to_pylist() == ["S", "G"]
    assert trials.extra["judgement"].to_pylist() == ["0", "1"]


@pytest.mark.parametrize("closing", [("", ""), ("(3 rows)", ""), ()])
def test_rows_that_compare_nothing_are_counted_and_closing_lines_dropped(
    tmp_path: Path, closing: tuple[str, ...]
) -> None:
    rows = ("0 S u0 111 106 110", "1 S u0 111 106 ", "2 S u0 111  106", "3 S u0 111 110 106")
    judgments = import_judgments(written(tmp_path, *rows, *closing)).judgments
    assert judgments.trials.trial_id.tolist() == [0, 3]
    assert judgments.notes == ("left out 2 lines with fewer than three artists",)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (("0 S u0 1 2 3", "1 S u0 1", "2 S u0 1 2 3"), "line 3 has 4 cells, the header 6"),
        ((), "no trials below the header"),
        (("0 S u0 1 2 ", "0 S u0 1 2 "), "no line has three artists"),
    ],
)
def test_a_malformed_text_is_refused(tmp_path: Path, rows: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(written(tmp_path, *rows))
    assert complaint in str(failure.value)


def test_the_sample_has_the_answers_of_the_other_layouts(formats: Path) -> None:
    folder = formats / "cblearn"
    judgments = import_judgments(folder / "musicseer.txt").judgments
    lines = [line.split() for line in (folder / "musicseer.txt").read_text().splitlines()[1:] if line]
    assert near_rows(judgments.trials) == [row[3:] for row in lines if len(row) == 6]
    assert judgments.notes == ("left out 1 line with fewer than three artists",)
    assert len(judgments.trials) + 1 == len(table(folder / "expected.csv", "trial"))
