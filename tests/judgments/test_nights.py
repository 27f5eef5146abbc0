from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.studies import plain

HEADER = "id,left_vote,right_vote,votes,ref_path,left_path,right_path,split,is_imagenet"


def write(path: Path, rows: Iterable[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path: Path) -> Judgments:
    reading = import_judgments(path)
    assert reading.format == "nights"
    return reading.judgments


def chosen(judgments: Judgments) -> Counter[tuple[str, str, str]]:
    """The number of trials by query, selected reference and other reference."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in plain(judgments.trials):
        (place,) = row["selected"]
        counts[row["query"], row["references"][place], row["references"][1 - place]] += 1
    return counts


def test_every_vote_is_a_trial_of_the_chosen_side(tmp_path: Path) -> None:
    judgments = read(
        write(tmp_path / "data.csv", ["7,0,1,8,r/a.png,l/a.png,t/a.png,train,True", "9,1,0,6,r,l,t,val,False"])
    )
    assert chosen(judgments) == {("r/a.png", "t/a.png", "l/a.png"): 8, ("r", "l", "t"): 6}
    trials = judgments.trials
    assert [str(kind) for kind in trials.types] == ["2-choose-1"]
    assert {name: set(column.to_pylist()) for name, column in trials.extra.items()} == {
        "id": {7, 9},
        "split": {"train", "val"},
        "is_imagenet": {True, False},
        "votes": {8, 6},
    }
    assert judgments.notes == ()


def test_the_first_vote_of_a_row_has_the_number_of_the_row(tmp_path: Path) -> None:
    trials = read(write(tmp_path / "data.csv", ["0,0,1,2,a,b,c,,", "1,.5,.5,2,d,e,f,,", "2,1,0,1,g,h,i,,"])).trials
    by_query = {row["query"]: row["trial_id"] for row in plain(trials)[::-1]}
    assert by_query == {"a": 0, "d": 1, "g": 2}
    assert len(set(trials.trial_id)) == len(trials) == 5


def test_people_who_disagree_vote_for_both_sides(tmp_path: Path) -> None:
    judgments = read(write(tmp_path / "data.csv", ["0,0.25,0.75,8,r,l,t,train,True"]))
    assert chosen(judgments) == {("r", "t", "l"): 6, ("r", "l", "t"): 2}


def test_rows_with_few_votes_are_kept_and_counted(tmp_path: Path) -> None:
    judgments = read(write(tmp_path / "data.csv", ["0,0,1,5,a,b,c,x,True", "1,0,1,6,d,e,f,x,True", "2,1,0,0,g,h,i,x,"]))
    assert chosen(judgments) == {("a", "c", "b"): 5, ("d", "f", "e"): 6}
    assert judgments.notes == (
        "left out 1 display without votes",
        "1 of 3 rows have fewer than 6 votes; they are kept (DreamSim omits them)",
    )


def test_columns_count_by_their_names(tmp_path: Path) -> None:
    header = "prompt,votes,right_path,left_path,ref_path,right_vote,left_vote"
    judgments = read(write(tmp_path / "data.csv", ["a bird,6,t,l,r,1,0"], header))
    assert chosen(judgments) == {("r", "t", "l"): 6}
    assert set(judgments.trials.extra["prompt"].to_pylist()) == {"a bird"}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("0,0,1,8,r,l,,x,", "line 3 lacks a path"),
        ("0,0,1,8.5,r,l,t,x,", "line 3 has '8.5' in column votes, which should hold a whole number"),
        ("0,0,1,,r,l,t,x,", "line 3 has no votes"),
        ("0,1,1,8,r,l,t,x,", "line 3 has a left_vote and a right_vote that do not sum to 1"),
        ("0,,,8,r,l,t,x,", "line 3 has a left_vote and a right_vote that do not sum to 1"),
        ("0,2,-1,8,r,l,t,x,", "line 3 has the share -1 of 8 votes, which is no whole number of votes"),
        ("0,.7,.3,8,r,l,t,x,", "line 3 has the share 0.3 of 8 votes, which is no whole number of votes"),
        ("0,x,1,8,r,l,t,x,", "line 3 has 'x' in column left_vote"),
        ("0,0,1,8,r,t,t,x,", "line 3 shows a reference twice"),
        ("0,0,1,1000000000,r,l,t,x,", "its counts sum to"),
    ],
)
def test_a_row_at_fault_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    path = write(tmp_path / "data.csv", ["1,0,1,6,a,b,c,x,True", row])
    with pytest.raises(JudgmentsError, match=f"{path}: {complaint}"):
        read(path)


def test_a_file_without_rows_or_votes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="no rows below the header"):
        read(write(tmp_path / "data.csv", []))
    with pytest.raises(JudgmentsError, match="no votes, so there is nothing to import"):
        read(write(tmp_path / "data.csv", ["0,0,1,0,r,l,t,x,True"]))
    with pytest.raises(JudgmentsError, match="the header has prompt twice"):
        read(write(tmp_path / "data.csv", ["0,0,1,6,r,l,t,,"], f"{HEADER.rpartition(',split')[0]},prompt,prompt"))
    with pytest.raises(JudgmentsError, match="the header lacks ref_path"):
        import_judgments(write(tmp_path / "other.csv", ["1"], "votes"), "nights")


def test_the_sample_has_its_expected_votes(formats: Path) -> None:
    judgments = read(formats / "nights" / "data.csv")
    wanted: Counter[tuple[str, str, str]] = Counter()
    with (formats / "nights" / "expected.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        other = "left" if row["chosen"] == "right" else "right"
        wanted[row["ref"], row[row["chosen"]], row[other]] += int(row["votes"])
    assert chosen(judgments) == wanted
    splits = dict(
        zip(judgments.trials.extra["id"].to_pylist(), judgments.trials.extra["split"].to_pylist(), strict=True)
    )
    assert splits == {int(row["id"]): row["split"] for row in rows}
    few = sum(row["kept_by_dreamsim"] == "0" for row in rows)
    assert judgments.notes[0].startswith(f"{few} of {len(rows)} rows have fewer than 6 votes")
