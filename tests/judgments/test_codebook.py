"""CSV files as laboratories write them: other headings, answers by code, votes, and names with and without a suffix."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.codebook import Codebook
from simtool.judgments.csv_trials import read_csv_trials
from simtool.judgments.importing import import_judgments
from tests.studies import plain

SIDES = {"reference_1": "left", "reference_2": "right", "selected_1": "response"}
HEADER = "query,reference_1,reference_2,selected_1"
ODD = "image_1,image_2,image_3,odd_one"
#: Cells for the first image, the second image and no answer, and the codebook of these cells.
CODINGS = {
    "names of images": (("a", "b", ""), {}),
    "headings": (("left", "Right", "timeout"), {}),
    "columns of judgments": (("reference_1", "reference_2", "NA"), {}),
    "positions": (("1", "2", "-99"), {"1": "left", "2": "right"}),
    "positions beside empty cells in pandas": (("1.0", "2.0", ""), {"1": "left", "2": "right"}),
    "names that are also images": (("b", "a", ""), {"b": "left", "a": "reference_2"}),
    "keys": (("f", "j", "space"), {"F": "left", "j": "right", "space": ""}),
}


def read(folder: Path, *lines: str, columns: dict[str, str] | None = None, **answers: str) -> Judgments:
    path = folder / "votes.csv"
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return read_csv_trials(path, Codebook(columns or {}, answers))


@pytest.mark.parametrize("coding", sorted(CODINGS))
def test_every_coding_of_answers_holds_the_same_judgments(tmp_path: Path, coding: str) -> None:
    cells, meaning = CODINGS[coding]
    answers = [0, 1, 2, 0, 0, 1]
    told = read(tmp_path, HEADER, *(f"q,a,b,{'ab '[answer]}" for answer in answers))
    lines = ["query,left,right,response", *(f"q,a,b,{cells[answer]}" for answer in answers)]
    judgments = read(tmp_path, *lines, columns=SIDES, **meaning)
    assert plain(judgments.trials) == plain(told.trials)
    assert judgments.unanswered == told.unanswered == 1


def test_positions_of_the_odd_one_follow_the_columns_also_beside_empty_cells(tmp_path: Path) -> None:
    columns = {"image_1": "A", "image_2": "B", "image_3": "C", "image_4": "D", "odd_one": "odd"}
    judgments = read(tmp_path, "A,B,C,D,odd", "x,,y,z,4", "x,w,y,z,3", columns=columns, **{"4": "D", "3": "C"})
    assert [row["selected"] for row in plain(judgments.trials)] == [[2], [2]]
    with pytest.raises(JudgmentsError, match="line 2 answers 2, but this cell is empty"):
        read(tmp_path, "A,B,C,D,odd", "x,,y,z,2", columns=columns, **{"2": "B"})


def test_the_heading_of_a_column_is_an_image_where_the_row_shows_one_of_this_name(tmp_path: Path) -> None:
    judgments = read(tmp_path, "query,left,right,response", "q,right,left,left", "q,a,b,left", columns=SIDES)
    assert [row["selected"] for row in plain(judgments.trials)] == [[1], [0]]
    assert judgments.notes == ("answers that name a column select its image: left",)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1).filter(
        lambda v: any(map(any, v))
    )
)
@settings(max_examples=10, deadline=None)
def test_votes_are_as_many_judgments(votes: list[tuple[int, int, int]]) -> None:
    """In a row with an empty cell, the other images keep their votes."""
    lines = [f"q,a,b,c,{one},{two},{three},p" for one, two, three in votes]
    single = [f"q,a,b,c,{name},p" for row in votes for name, many in zip("abc", row, strict=True) for _ in range(many)]
    with TemporaryDirectory() as folder:
        found = read(
            Path(folder), "query,reference_1,reference_2,reference_3,votes_1,votes_2,votes_3,participant", *lines
        )
        wanted = read(Path(folder), "query,reference_1,reference_2,reference_3,selected_1,participant", *single)

    def seen(judgments: Judgments) -> list[tuple[object, ...]]:
        return sorted((*row["references"], row["selected"], row["participant"]) for row in plain(judgments.trials))

    assert seen(found) == seen(wanted)
    assert len(set(found.trials.trial_id.tolist())) == len(found.trials)


def test_votes_stay_with_their_images(tmp_path: Path) -> None:
    header = "image_1,image_2,image_3,image_4,votes_1,votes_2,votes_3,votes_4"
    judgments = read(tmp_path, header, "a,,c,d,0,,2,1", "a,b,c,d,0,0,0,0")
    rows = plain(judgments.trials)
    assert [(row["kind"], row["references"], row["selected"]) for row in rows] == [
        ("3-odd-1", ["a", "c", "d"], [1]),
        ("3-odd-1", ["a", "c", "d"], [1]),
        ("3-odd-1", ["a", "c", "d"], [2]),
    ]
    assert judgments.notes == ("left out 1 display without votes",)


def test_a_name_without_a_suffix_is_the_name_with_one(tmp_path: Path) -> None:
    """A catch trial is seen also if the query has a suffix and the reference has none."""
    judgments = read(tmp_path, HEADER, "q,a.png,b,a", "q.JPG,b.tif,c,b", "q,q.JPG,c,c", "c,a.b,a,a")
    assert [(row["query"], row["references"], row["selected"]) for row in plain(judgments.trials)] == [
        ("q.JPG", ["a.png", "b.tif"], [0]),
        ("q.JPG", ["b.tif", "c"], [0]),
        ("c", ["a.b", "a.png"], [1]),
    ]
    assert judgments.catch == 1
    assert judgments.notes == ("took 3 names without a suffix for the same with a suffix: q is q.JPG",)


def test_a_name_without_a_suffix_stays_where_two_files_have_it(tmp_path: Path) -> None:
    judgments = read(tmp_path, HEADER, "q,a.png,a.jpg,a.jpg", "q,a,b,b")
    assert sorted(judgments.trials.images) == ["a", "a.jpg", "a.png", "b", "q"]
    assert judgments.notes == ()


def test_response_times_in_seconds_become_milliseconds(tmp_path: Path) -> None:
    judgments = read(tmp_path, f"{HEADER},rt", "q,a,b,a,1.5", "q,b,a,a,", columns={"response_s": "rt"})
    assert [row["response_ms"] for row in plain(judgments.trials)] == [1500, None]
    judgments = read(tmp_path, f"{HEADER},response_ms", "q,a,b,a,1.5", "q,b,a,a,n/a", "q,b,a,a,1e0")
    assert judgments.notes == ("the median of response_ms is 1.25: if these are seconds, the column is response_s",)
    assert read(tmp_path, f"{HEADER},response_ms", "q,a,b,a,812", "q,b,a,a,").notes == ()


def test_rows_that_occur_twice_are_counted_if_people_are_named(tmp_path: Path) -> None:
    lines = ["q,a,b,a,p", "q,a,b,a,p", "q,a,b,a,o", "q,a,b,a,p"]
    assert read(tmp_path, f"{HEADER},participant", *lines).notes == (
        "2 rows equal an earlier row in every column; kept, so remove copies from the file",
    )
    assert read(tmp_path, HEADER, "q,a,b,a", "q,a,b,a").notes == ()


@pytest.mark.parametrize(
    ("columns", "answers", "complaint"),
    [
        (
            {"reference_1": "lfet"},
            {},
            r"--column reference_1=lfet: no column is called lfet; .* \(did you mean left\?\)",
        ),
        (
            {"reference": "left"},
            {},
            r"--column reference=left: the name before the = is not one of .* \(did you mean reference_1\?\)",
        ),
        ({**SIDES, "reference_1": "right"}, {}, "names a column twice: right$"),
        ({**SIDES, "participant": "query"}, {}, "the header should be"),
        ({**SIDES, "session": "age", "participant": "age"}, {}, "names a column twice"),
        ({**SIDES, "query": "age"}, {}, "--column query=age: the header has another column query"),
        (SIDES, {"1": "middle"}, "--answer 1=middle: no column is called middle"),
        (SIDES, {"1": "query"}, "--answer 1=query: the images to select are in the columns left, right"),
        (SIDES, {"K": "left", "k": "right"}, "--answer K=left and --answer k=right contradict each other"),
        (SIDES, {"1": "left", "1.0": ""}, "--answer 1=left and --answer 1.0= contradict each other"),
        (SIDES, {"1": "left"}, r"selects 2.0, .*: --answer 2=COLUMN, where COLUMN is one of left, right, or empty .*$"),
    ],
)
def test_a_codebook_that_does_not_fit_the_file_is_refused(
    tmp_path: Path, columns: dict[str, str], answers: dict[str, str], complaint: str
) -> None:
    with pytest.raises(JudgmentsError, match=complaint) as failure:
        read(tmp_path, "query,left,right,response,age", "q,a,b,1,30", "q,a,b,2.0,40", columns=columns, **answers)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("heading", ["left", "response", ""])
def test_a_column_that_is_there_twice_is_not_chosen_by_its_place(tmp_path: Path, heading: str) -> None:
    columns = {"reference_1": "right", "reference_2": "query", "selected_1": heading}
    with pytest.raises(JudgmentsError, match=f"--column .*={heading}: the header has .* twice"):
        read(tmp_path, f"query,left,right,response,,{heading}", "q,a,b,a,b,c", columns=columns)


def test_answers_that_are_also_images_or_that_no_row_has_are_told(tmp_path: Path) -> None:
    lines = ["query,left,right,response", "q,2,1,1", "q,a,b,2"]
    notes = read(tmp_path, *lines, columns=SIDES, **{"1": "left", "2": "right", "3": ""}).notes
    assert notes == (
        "answers of --answer that are also ids of images of their rows; they were taken as --answer says: 1",
        "no row has these answers of --answer: 3",
    )
    assert read(tmp_path, *lines[::2], columns=SIDES, **{"2": "right"}).notes == ()


def test_votes_take_no_codes_of_answers(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="--answer explains answers, but the file holds votes"):
        read(tmp_path, "query,reference_1,reference_2,votes_1,votes_2", "q,a,b,1,0", columns={}, **{"1": "reference_1"})


@pytest.mark.filterwarnings("error")
def test_a_response_time_that_overflows_is_refused_without_a_warning(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="line 2 has a response_ms beyond"):
        read(tmp_path, f"{HEADER},response_s", "q,a,b,a,1e308")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([f"{HEADER},votes_1,votes_2", "q,a,b,a,1,0"], "the header has selected_1 and votes_1: keep one of them"),
        ([f"{ODD},votes_1", "a,b,c,a,1"], "the header has odd_one and votes_1"),
        (["query,reference_1,reference_2,votes_1", "q,a,b,1"], "has votes for 1 of its 2 images"),
        (["query,reference_1,reference_2,votes_1,votes_2", "q,a,b,1,"], "line 2 has no votes_2; write 0"),
        (["query,reference_1,reference_2,votes_1,votes_2", "q,a,b,1,-1"], "line 2 has '-1' in column votes_2"),
        (["query,reference_1,reference_2,votes_1,votes_2", "q,a,b,0,0"], "no votes, so there is nothing to import"),
        (
            ["query,reference_1,reference_2,reference_3,votes_1,votes_2,votes_3", "q,a,b,,1,1,1"],
            "line 2 has votes for an empty cell",
        ),
        (["query,reference_1,reference_2,n_a,n_b", "q,a,b,1,0"], "the header has no answers; .*--column votes_1=NAME"),
        ([f"{HEADER},response_ms,response_s", "q,a,b,a,1,1"], "the header has response_ms and response_s"),
        (
            ["query,left,right,response", "q,a,b,a"],
            "add --column reference_1=left --column reference_2=right --column selected_1=response$",
        ),
        (["query,Left Image,img_right,resp"], "add --column 'reference_1=Left Image' --column reference_2=img_right "),
        ([HEADER, "q,a,b,'"], "line 2 selects ', .*: --answer ''\"'\"'=COLUMN'"),
        ([HEADER, *(f"q,a,b,{number}" for number in range(10))], "selects 0, .*; write the id of a reference$"),
    ],
)
def test_a_fault_of_a_table_of_votes_or_answers_is_told(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(JudgmentsError, match=complaint):
        read(tmp_path, *lines)


def test_a_codebook_is_of_a_csv_only(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{HEADER}\nq,a,b,2\n")
    book = Codebook(answers={"2": "reference_2"})
    assert plain(import_judgments(tmp_path / "t.csv", codebook=book).judgments.trials)[0]["selected"] == [1]
    with pytest.raises(JudgmentsError, match="--column and --answer describe the format csv, not nights"):
        import_judgments(tmp_path / "t.csv", "nights", codebook=book)
