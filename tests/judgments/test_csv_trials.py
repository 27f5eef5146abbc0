from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.csv_trials import read_csv_trials
from tests.judgments.plain_csv import read_plainly
from tests.studies import Judgment, expected, judgments, plain, write_csv


def written(folder: Path, *lines: str) -> Path:
    path = folder / "triplets.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@given(judgments(), st.sampled_from(",\t;"))
@settings(max_examples=40, deadline=None)
def test_what_was_written_comes_back(study: list[Judgment], separator: str) -> None:
    with TemporaryDirectory() as folder:
        assert plain(read_csv_trials(write_csv(Path(folder, "t.csv"), study, separator)).trials) == expected(study)


def test_one_selection_is_a_choice_and_several_are_a_ranking(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_1,reference_2,selected_1", "a,b,c,c", "b,c,a,c")
    first, second = plain(read_csv_trials(path).trials)
    assert (first["kind"], first["selected"], second["selected"]) == ("2-choose-1", [1], [0])
    path = written(tmp_path, "query,reference_1,reference_2,reference_3,selected_1,selected_2", "a,b,c,d,d,b")
    (row,) = plain(read_csv_trials(path).trials)
    assert (row["kind"], row["selected"]) == ("3-rank-2", [2, 0])


def test_ranked_says_whether_the_order_of_selections_counts(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,reference_3,selected_1,selected_2,ranked"
    path = written(tmp_path, header, "a,b,c,d,d,b,false", "a,b,c,d,d,b,true", "a,b,c,d,d,b,")
    assert [row["kind"] for row in plain(read_csv_trials(path).trials)] == ["3-choose-2", "3-rank-2", "3-rank-2"]


def test_empty_cells_make_a_trial_shorter_wherever_they_stand(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,reference_3,selected_1,selected_2"
    path = written(tmp_path, header, "a,b,,d,d,", "a,,b,c,NA,c", "a,b,c,d,b,c")
    first, second, third = plain(read_csv_trials(path).trials)
    assert (first["kind"], first["references"], first["selected"]) == ("2-choose-1", ["b", "d"], [1])
    assert (second["kind"], second["references"], second["selected"]) == ("2-choose-1", ["b", "c"], [1])
    assert third["kind"] == "3-rank-2"


def test_odd_one_out_judgments_have_no_query(tmp_path: Path) -> None:
    path = written(
        tmp_path, "odd_one,Image 2,image_1,image_4,image_3,participant", "c,b,a,,c,p", "a,b,a,d,c,", "NA,b,a,,c,p"
    )
    judgments = read_csv_trials(path)
    first, second = plain(judgments.trials)
    assert (first["kind"], first["references"], first["selected"]) == ("3-odd-1", ["a", "b", "c"], [2])
    assert (second["kind"], second["references"], second["selected"]) == ("4-odd-1", ["a", "b", "c", "d"], [0])
    assert judgments.trials.query.tolist() == [-1, -1]
    assert judgments.unanswered == 1


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 9), min_size=3, max_size=6, unique=True), st.integers(0, 5)), min_size=1)
)
@settings(max_examples=30, deadline=None)
def test_odd_one_out_judgments_that_were_written_come_back(study: list[tuple[list[int], int]]) -> None:
    longest = max(len(shown) for shown, _ in study)
    lines = [",".join([*(f"image_{place}" for place in range(1, longest + 1)), "odd_one"])]
    for shown, place in study:
        names = [f"i{image}" for image in shown]
        lines.append(",".join([*names, *[""] * (longest - len(names)), names[place % len(names)]]))
    with TemporaryDirectory() as folder:
        rows = plain(read_csv_trials(written(Path(folder), *lines)).trials)
    for row, (shown, place) in zip(rows, study, strict=True):
        assert row["references"] == [f"i{image}" for image in shown]
        assert (row["kind"], row["selected"]) == (f"{len(shown)}-odd-1", [place % len(shown)])


def test_columns_of_choices_make_columns_of_images_extra(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_1,reference_2,selected_1,image_1,odd_one", "a,b,c,c,x,y")
    judgments = read_csv_trials(path)
    assert [row["kind"] for row in plain(judgments.trials)] == ["2-choose-1"]
    assert list(judgments.trials.extra) == ["image_1", "odd_one"]


def test_columns_may_be_numbered_with_zeros_before(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_01,reference_02,selected_01", "a,b,c,c")
    (row,) = plain(read_csv_trials(path).trials)
    assert (row["references"], row["selected"]) == (["b", "c"], [1])


def test_an_id_may_hold_control_characters(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "a,\x1b[31mred,c,\x1b[31mred")
    (row,) = plain(read_csv_trials(path).trials)
    assert (row["references"], row["selected"]) == (["\x1b[31mred", "c"], [0])


def test_columns_may_come_in_any_order_and_case(tmp_path: Path) -> None:
    path = written(tmp_path, "note,selected_1,reference_2, query ,reference_1,session", "x,c,c,a,b,007")
    (row,) = plain(read_csv_trials(path).trials)
    assert (row["query"], row["references"], row["selected"], row["session"]) == ("a", ["b", "c"], [1], "007")


def test_optional_cells_may_be_empty(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,selected_1,participant,weight,response_ms"
    first, second = plain(read_csv_trials(written(tmp_path, header, "a,b,c,b,ann,0.5,12.5", "a,b,c,b,,NA,")).trials)
    assert (first["participant"], first["weight"], first["response_ms"]) == ("ann", 0.5, 12.5)
    assert (second["participant"], second["weight"], second["response_ms"]) == (None, None, None)


def test_byte_order_marks_blanks_quotes_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "triplets.csv"
    path.write_bytes('\ufeffquery,reference_1,reference_2,selected_1\r\n a ,"b, too",ç,ç \r\n'.encode())
    (row,) = plain(read_csv_trials(path).trials)
    assert (row["query"], row["references"], row["selected"]) == ("a", ["b, too", "ç"], [1])


def test_catch_trials_are_dropped_and_the_others_keep_their_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_1,reference_2,selected_1", "a,a,c,a", "a,b,c,b", "c,b,c,c")
    judgments = read_csv_trials(path)
    assert judgments.catch == 2
    assert judgments.trials.trial_id.tolist() == [1]


HEADER = "query,reference_1,reference_2,selected_1"
ODD = "image_1,image_2,image_3,odd_one"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([HEADER, "a,b,c,b", "a,b,c,x"], "line 3 selects x, which is not among its references b, c"),
        ([HEADER, "a,b,c,x", "a,b,c,y"], r"line 2 \(and 1 more\) selects x, which"),
        ([HEADER, ",b,c,b"], "line 2 has no query"),
        ([HEADER, "a,b,b,b"], "line 2 shows a reference twice"),
        ([HEADER, "a,b,,b"], "line 2 has fewer than two references"),
        ([HEADER, "a,b,c,", "a,b,c,null"], "2 unanswered trials and no other, so there is nothing to import"),
        ([f"{HEADER},selected_2", "a,b,c,b,c"], "line 2 selects every reference"),
        ([f"{HEADER},reference_3,selected_2", "a,b,c,b,d,b"], "line 2 selects a reference twice"),
        ([HEADER, "a,b,c,b", "a,b,c"], "line 3 has 3 cells, the header 4"),
        (
            [f"{HEADER},weight", "a,b,c,b,1", "a,b,c,b,heavy"],
            "line 3 has 'heavy' in column weight, which should hold a number or be empty",
        ),
        ([f",{HEADER},weight", "0,a,b,c,b,heavy"], "line 2 has 'heavy' in column weight"),
        (
            [f"{HEADER},response_ms,participant", 'a,b,c,b,"1,204",5f3e', "a,b,c,b,812.5,0012"],
            r"line 2 has '1,204' in column response_ms, which should hold a number \(with a point, not a comma\)",
        ),
        ([f"{HEADER},weight", "a,b,c,b,1_000"], "line 2 has '1_000' in column weight"),
        ([f"{HEADER},weight", "a,b,c,b,1e300"], "line 2 has a weight beyond 3.4e38"),
        ([f"{HEADER},response_ms", "a,b,c,b,inf"], "line 2 has a response_ms beyond 3.4e38"),
        ([HEADER, "a,b,c,b", "", " ", "a,c,b,d", ",,,"], "line 5 selects d, which is not among its references"),
        ([f"{HEADER},note", 'a,b,c,b,"two', 'lines"', "", "a,c,b,d,"], "line 5 selects d, which"),
        (["", "", HEADER, "", "a,c,b,d"], "line 5 selects d, which"),
        ([HEADER, "a,b,c,b", 'a,"b,c,b', "a,b,c,b", "a,b,c,b"], "line 3 has 2 cells, the header 4"),
        ([f"{HEADER},count", "a,b,c,b,1", "a,b,c,b,-1"], "line 3 has '-1' in column count, which should hold a whole"),
        (
            [f"{HEADER},count", "a,b,c,b,1.5"],
            "line 2 has '1.5' in column count, which should hold a whole number from 0 to 1,000,000,000",
        ),
        ([f"{HEADER},count", "a,b,c,b,1", "a,b,c,b,"], "line 3 has no count; write 0 for no judgments"),
        ([f"{HEADER},count", "a,b,c,b,1e9"], "its counts sum to 1,000,000,000; at most 100,000,000 are read"),
        ([f"{HEADER},count", "a,b,c,b,0"], "every count is 0, so there is nothing to import"),
        ([f"{HEADER},weight", "a,b,c,b,-1"], "line 2 has a negative weight"),
        ([f"{HEADER},weight", "a,b,c,b,inf"], "line 2 has a weight beyond 3.4e38"),
        (
            [f"{HEADER},ranked", "a,b,c,b,maybe"],
            "line 2 has 'maybe' in column ranked, which should hold true or false or be empty",
        ),
        ([HEADER, "a,b,c,b", HEADER, "a,b,c,c"], "line 3 repeats the header; delete it"),
        ([HEADER, "a,b,c,b", "", "a,b,c\0,b"], "line 4 has a null character; the file is damaged"),
        ([HEADER], "no trials below the header"),
        (["query,reference_1,selected_1", "a,b,b"], r"the header should be query,reference_1,\.\.\."),
        (["anchor,positive,negative", "a,b,c"], r"the header should be .* it is anchor, positive, negative"),
        (
            ["query,reference_1,reference_3,selected_1"],
            "reference columns of the header have the numbers 1, 3: some are missing",
        ),
        (["query,reference_0,reference_1,selected_0"], r"counts its columns from 0 \(reference_0, selected_0\); count"),
        (
            ["query,reference_1,reference_2,selected_2"],
            "selected columns of the header have the numbers 2: some are missing",
        ),
        (["query,query,reference_1,reference_2,selected_1"], "the header has query twice"),
        ([f"{HEADER},Query"], "the header has query twice"),
        ([f"{HEADER},age,age"], "the header has age twice"),
        (
            ["query,refrence_1,reference 2,selected"],
            r"selected: refrence_1 \(did you mean reference_1\?\), selected \(did you",
        ),
        ([ODD, "a,b,c,a", "a,b,c,d"], "line 3 has the odd one d, which is not among its images a, b, c; write the id"),
        ([ODD, "1,2,3,3.0", "1,2,3,"], "line 2 has the odd one 3.0, .*: save the column as Int64$"),
        ([HEADER, "1,2,3,3.0", "1,2,3,"], "line 2 selects 3.0, .*: save the column as Int64$"),
        ([ODD, "a,b,c,2"], "line 2 has the odd one 2, which is not .* write the id of the odd image, not its position"),
        ([ODD, "a,b,,a"], "line 2 has fewer than three images"),
        ([ODD, "a,b,a,a"], "line 2 shows a reference twice"),
        ([ODD, "a,b,c,", "a,b,c,timeout"], "2 unanswered trials and no other, so there is nothing to import"),
        ([ODD, "a,b,c,a", ODD], "line 3 repeats the header; delete it"),
        ([ODD], "no trials below the header"),
        (["image_1,image_2,odd_one", "a,b,b"], r"odd-one-out judgments need the header image_1,\.\.\.,image_N,odd_one"),
        (["image_1,image_2,image_4,odd_one"], "image columns of the header have the numbers 1, 2, 4: some are missing"),
        (["image_0,image_1,image_2,odd_one"], r"the header counts its columns from 0 \(image_0\); count them from 1"),
        (["image_1,image_2,image_3,odd_one,Odd One"], "the header has odd_one twice"),
        (["image_1,image_2,image_3,odd_one,selected_1", "a,b,c,a,a"], "odd-one-out judgments need the header"),
        (["img1,img2,img3,ooo", "a,b,c,c"], "odd-one-out judgments need .*; the header is img1, img2, img3, ooo"),
        (["image1\timage2\timage3\tchoice\tRT", "1\t2\t3\t1\t900"], "odd-one-out judgments need the header"),
        (["0 1 2", "3 4 5"], "the header should be .* it is 0, 1, 2"),
        (["a.jpg; b.jpg; c.jpg", "d.jpg; e.jpg; f.jpg"], "the header should be .* it is a.jpg, b.jpg, c.jpg"),
        (["id,left_vote,right_vote,ref_path,left_path,right_path", "1,0,1,a,b,c"], "the header should be query,"),
        (["sep=é", "a,b"], "unsupported separator 'é': save it with commas"),
        ([""], "this is an empty file with blanks only, not a CSV"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, lines: list[str], complaint: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(JudgmentsError, match=complaint) as failure:
        read_csv_trials(path)
    assert str(failure.value).startswith(f"{path}: ")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("rows", "complaint"), [(0, "line 2 is not in UTF-8: save|not a CSV"), (20_000, "line 20002 is not in UTF-8: save")]
)
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, mark: bytes, rows: int, complaint: str) -> None:
    content = mark + f"{HEADER}\n".encode() + b"a,b,c,b\n" * rows + b"\xe9,b,c,b\n"
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(JudgmentsError, match=complaint):
        read_csv_trials(tmp_path / "t.csv")


WRITTEN = f"{HEADER},participant,response_ms\nä,b,c,b,p1,812\n\na,b,ç,ç,p2,\n"


@pytest.mark.parametrize(
    "content",
    [
        WRITTEN.encode(),
        WRITTEN.encode("utf-8-sig"),
        WRITTEN.encode("utf-16"),
        WRITTEN.encode("utf-16-le"),
        WRITTEN.replace("\n", "\r").encode(),
        WRITTEN.replace("\n", "\r\n").encode("utf-16"),
        WRITTEN.replace(",", "\t").encode("utf-16"),
        f"sep=;\n{WRITTEN}".replace(",", ";").encode(),
        f"\ufeffsep=;\r\n{WRITTEN}".replace(",", ";").encode(),
        WRITTEN.replace("\n", ",,,\n").encode(),
        WRITTEN.replace("query", " Query ").replace("reference_2", '"Reference 2"').replace("ms", "MS").encode(),
        (WRITTEN + ",,,,,\n   \n").encode(),
    ],
)
def test_every_spelling_of_a_csv_holds_the_same_judgments(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    trials = read_csv_trials(tmp_path / "t.csv").trials
    assert trials.images[trials.query].tolist() == ["ä", "a"]
    assert [row["references"] for row in plain(trials)] == [["b", "c"], ["b", "ç"]]
    assert [row["selected"] for row in plain(trials)] == [[0], [1]]
    assert trials.participant.tolist() == ["p1", "p2"]
    np.testing.assert_array_equal(trials.response_ms, np.array([812, np.nan], np.float32))
    assert trials.trial_id.tolist() == [0, 1]


@given(
    judgments(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(",\t;"),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_no_spelling_changes_what_a_csv_holds(
    study: list[Judgment], encoding: str, newline: str, separator: str, declared: bool, random: Random
) -> None:
    with TemporaryDirectory() as folder:
        path = write_csv(Path(folder, "t.csv"), study)
        columns = list(zip(*csv.reader(path.read_text().splitlines()), strict=True))
        random.shuffle(columns)
        spelled = [(random.choice([name, name.upper(), name.title()]), *cells) for name, *cells in columns]
        lines = [list(row) for row in zip(*spelled, strict=True)]
        for _ in range(random.randrange(4)):
            lines.insert(random.randrange(1, len(lines) + 1), random.choice([[], [""] * len(columns)]))
        text = StringIO(newline="")
        quotes = random.choice(["unix", "excel"])  # everywhere, or where they are needed
        csv.writer(text, quotes, delimiter=separator, lineterminator=newline).writerows(lines)
        path.write_bytes(f"{f'sep={separator}{newline}' if declared else ''}{text.getvalue()}".encode(encoding))
        assert plain(read_csv_trials(path).trials) == expected(study)


@pytest.mark.parametrize("word", ["", "NA", "null", "None", "NaN", "timeout", "-99", "undefined", " "])
def test_trials_without_an_answer_are_dropped_and_counted(tmp_path: Path, word: str) -> None:
    path = written(
        tmp_path, f"{HEADER},response_ms", "a,b,c,b,812", f"d,e,f,{word},{'null' if word else ''}", "d,e,f,e,9"
    )
    judgments = read_csv_trials(path)
    assert judgments.unanswered == 1
    assert judgments.trials.trial_id.tolist() == [0, 2]


def test_an_image_may_be_called_like_a_word_for_no_answer(tmp_path: Path) -> None:
    judgments = read_csv_trials(written(tmp_path, HEADER, "a,none,c,none", "a,b,c,none"))
    assert (len(judgments.trials), judgments.unanswered) == (1, 1)
    assert judgments.trials.images[judgments.trials.references[0]].tolist() == ["none", "c"]


def test_participants_without_a_name_are_nobody(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"{HEADER},participant", *(f"a,b,c,b,{name}" for name in ("", "NA", "nan", "null", "0012"))
    )
    assert read_csv_trials(path).trials.participant.tolist() == [None, None, None, None, "0012"]


def test_a_count_stands_for_as_many_trials(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER},count,age", "a,b,c,b,3,30", "a,b,c,c,0,31", "a,a,c,a,2,32", "a,b,c,c,2.0,33")
    judgments = read_csv_trials(path)
    trials = judgments.trials
    assert trials.trial_id.tolist() == [0, 4, 5, 3, 6]
    assert trials.selected[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert trials.extra["age"].to_pylist() == [30, 30, 30, 33, 33]
    assert judgments.catch == 2


def test_further_columns_are_kept_with_the_type_of_their_values(tmp_path: Path) -> None:
    header = f"{HEADER},condition,age,share,pilot,code,when,nothing,model,trial_id,worker,sign,half,"
    lines = [
        "a,b,c,b,none,30,0.5,True,007,2024-01-05,,m,41,12345678901234567890,-,-.5,x",
        "a,b,c,c,,,NaN,false,12,2024-01-06,,m,7,3,e5,1E-9,y",
    ]
    extra = read_csv_trials(written(tmp_path, header, *lines)).trials.extra
    assert {name: (str(column.type), column.to_pylist()) for name, column in extra.items()} == {
        "condition": ("string", ["none", None]),
        "age": ("int64", [30, None]),
        "share": ("double", [0.5, None]),
        "pilot": ("bool", [True, False]),
        "code": ("string", ["007", "12"]),
        "when": ("string", ["2024-01-05", "2024-01-06"]),
        "nothing": ("string", [None, None]),
        "source_model": ("string", ["m", "m"]),
        "source_trial_id": ("int64", [41, 7]),
        "worker": ("string", ["12345678901234567890", "3"]),
        "sign": ("string", ["-", "e5"]),
        "half": ("double", [-0.5, 1e-9]),
    }


def test_a_cell_with_a_line_break_at_the_end_of_a_block_stays_whole(tmp_path: Path) -> None:
    # A reader of blocks must not take a line break within quotation marks for the end of a row.
    note = "a\nb" * 50
    lines = [f'a,b,c,b,"{note}"'] * 30_000
    trials = read_csv_trials(written(tmp_path, f"{HEADER},note", *lines)).trials
    assert len(trials) == 30_000
    assert set(trials.extra["note"].to_pylist()) == {note}


def test_many_trials_keep_their_order_over_the_blocks_of_the_reader(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    chosen = rng.integers(0, 2, 50_000)
    names = [f"species_{i:03d}/a rather long name of a photograph {i:05d}.jpg" for i in range(900)]
    rows = [(names[i % 900], names[(i + 1) % 900], names[(i + 2 + i % 7) % 900]) for i in range(chosen.size)]
    lines = [f"{q},{a},{b},{(a, b)[c]},{i}" for i, ((q, a, b), c) in enumerate(zip(rows, chosen, strict=True))]
    trials = read_csv_trials(written(tmp_path, f"{HEADER},session", *lines)).trials
    assert (tmp_path / "triplets.csv").stat().st_size > 8 << 20  # several blocks of the CSV reader
    np.testing.assert_array_equal(trials.selected[:, 0], chosen)
    assert trials.images[trials.query].tolist() == [q for q, _, _ in rows]
    assert trials.images[trials.references[:, 1]].tolist() == [b for _, _, b in rows]
    assert [trials.session[0], trials.session[-1]] == ["0", "49999"]


#: Ids of images: with separators, quotes, line breaks, inner blanks, and words that elsewhere mean "no answer".
IDS = ("a", "b.jpg", "c, d", 'e "f" g', "h\ni", "none", "-99", "ü; ö", "k\tl", "0012", "x|y", "nan")
NUMBERS = ("", "NA", "null", "NaN", "1", "0.25", ".5", "12.", "+3", "1e-3", "1E2", "007", "3.4e38", "1523.2837461829")
NAMES = ("", "NA", "none", "ann", "Zoë", "p, 1", "1.0")
OTHERS = {
    "age": ("", "NA", "nan", "30", "-4"),
    "share": ("0.5", "1e3", "12", "null"),
    "pilot": ("True", "false", "None", ""),
    "note": ("true", "12", "x", "null", 'a "quoted", note', ""),
}


@st.composite
def sheets(draw: st.DrawFn) -> list[list[str]]:
    """A header, and rows of judgments with catch trials, missing answers and empty cells, in any spelling."""
    references, selected = draw(st.integers(2, 4)), draw(st.integers(1, 2))
    header = ["query", *(f"reference_{place + 1}" for place in range(references))]
    header += [f"selected_{place + 1}" for place in range(selected)]
    sheet = [[*header, "participant", "session", "weight", "response_ms", "ranked", *OTHERS]]
    for _ in range(draw(st.integers(1, 8))):
        shown = draw(st.permutations(IDS))[: references + 1]
        few = min(draw(st.integers(2, references)), references)
        answers = draw(st.permutations(shown[1 : few + 1]))[: min(selected, few - 1)]
        answers = draw(st.sampled_from([answers, answers, answers, ["timeout"], [""]]))
        query = draw(st.sampled_from([shown[0], shown[0], shown[1]]))
        cells = [query, *shown[1 : few + 1], *[""] * (references - few), *answers, *[""] * (selected - len(answers))]
        cells += [draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))]
        cells += [draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(NUMBERS))]
        cells += [draw(st.sampled_from(["", "true", "False", "no", "1", "null"]))]
        sheet.append([*cells, *(draw(st.sampled_from(texts)) for texts in OTHERS.values())])
    return sheet


@given(
    sheets(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(",\t;|"),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_a_plain_reader_of_rows_finds_the_same_judgments(
    sheet: list[list[str]], encoding: str, newline: str, separator: str, random: Random
) -> None:
    rows = [[random.choice([cell, cell, f" {cell}  "]) for cell in row] for row in sheet[1:]]
    for _ in range(random.randrange(3)):
        blank = random.choice([[], [""] * len(sheet[0]), ["NA"] * len(sheet[0]), ["  "]])
        rows.insert(random.randrange(len(rows) + 1), blank)
    if random.random() < 0.3:
        random.choice(rows).extend(["", " "])  # as spreadsheets write a row that was longer once
    text = StringIO(newline="")
    quotes = random.choice(["unix", "excel"])  # everywhere, or where they are needed
    csv.writer(text, quotes, delimiter=separator, lineterminator=newline).writerows([sheet[0], *rows])
    same = read_plainly(text.getvalue(), separator, tuple(OTHERS))
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        if not same.trials:
            with pytest.raises(JudgmentsError, match="there is nothing to import"):
                read_csv_trials(path)
            return
        judgments = read_csv_trials(path)
    assert plain(judgments.trials) == same.trials
    assert (judgments.catch, judgments.unanswered) == (same.catch, same.unanswered)
    assert {name: column.to_pylist() for name, column in judgments.trials.extra.items()} == same.extra


FAULTS = {
    "selects zebra, which is not among its references": {3: "zebra"},
    "has no query": {0: ""},
    "has fewer than two references": {1: "b", 2: "", 3: "b"},
    "shows a reference twice": {1: "q", 2: "q", 3: "q"},
    "has a negative weight": {5: "-1"},
    "has 'heavy' in column weight": {5: "heavy"},
    "has '-nan' in column response_ms": {6: "-nan"},
    "has 'perhaps' in column ranked": {7: "perhaps"},
    "has '1.5' in column count": {8: "1.5"},
    "repeats the header": {
        0: "query", 1: "reference_1", 2: "reference_2", 3: "selected_1", 5: "1", 6: "1", 7: "", 8: "1"
    },
}  # fmt: skip


@given(st.sampled_from(sorted(FAULTS)), st.integers(1, 40), st.sets(st.integers(0, 39), min_size=1), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_fault_is_named_with_its_first_line_and_the_number_of_its_rows(
    fault: str, count: int, places: set[int], quoted: bool
) -> None:
    faulty = sorted(place for place in places if place < count) or [0]
    rows = [["a", "b", "c", "bc"[row % 2], "", "0.5", "812", "true", "1"] for row in range(count)]
    for place in faulty:
        for column, cell in FAULTS[fault].items():
            rows[place][column] = cell
    text = StringIO(newline="")
    writer = csv.writer(text, "unix" if quoted else "excel")
    writer.writerows([[*HEADER.split(","), "note", "weight", "response_ms", "ranked", "count"], *rows])
    more = f" (and {len(faulty) - 1:,} more)" if len(faulty) > 1 else ""
    with TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(text.getvalue().encode())
        with pytest.raises(JudgmentsError) as failure:
            read_csv_trials(path)
    assert str(failure.value).startswith(f"{path}: line {faulty[0] + 2}{more} {fault}")
