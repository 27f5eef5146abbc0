from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.datasets.judgments import JudgmentsError
from simtool.datasets.triplets import read_triplets
from tests.studies import Judgment, expected, judgments, plain, write_csv


def written(folder: Path, *lines: str) -> Path:
    path = folder / "triplets.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@given(judgments(), st.sampled_from(",\t;"))
@settings(max_examples=40, deadline=None)
def test_what_was_written_comes_back(study: list[Judgment], separator: str) -> None:
    with TemporaryDirectory() as folder:
        assert plain(read_triplets(write_csv(Path(folder, "t.csv"), study, separator)).trials) == expected(study)


def test_one_selection_is_a_choice_and_several_are_a_ranking(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_1,reference_2,selected_1", "a,b,c,c", "b,c,a,c")
    first, second = plain(read_triplets(path).trials)
    assert (first["kind"], first["selected"], second["selected"]) == ("2-choose-1", [1], [0])
    path = written(tmp_path, "query,reference_1,reference_2,reference_3,selected_1,selected_2", "a,b,c,d,d,b")
    (row,) = plain(read_triplets(path).trials)
    assert (row["kind"], row["selected"]) == ("3-rank-2", [2, 0])


def test_ranked_says_whether_the_order_of_selections_counts(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,reference_3,selected_1,selected_2,ranked"
    path = written(tmp_path, header, "a,b,c,d,d,b,false", "a,b,c,d,d,b,true", "a,b,c,d,d,b,")
    assert [row["kind"] for row in plain(read_triplets(path).trials)] == ["3-choose-2", "3-rank-2", "3-rank-2"]


def test_empty_cells_make_a_trial_shorter_wherever_they_stand(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,reference_3,selected_1,selected_2"
    path = written(tmp_path, header, "a,b,,d,d,", "a,,b,c,NA,c", "a,b,c,d,b,c")
    first, second, third = plain(read_triplets(path).trials)
    assert (first["kind"], first["references"], first["selected"]) == ("2-choose-1", ["b", "d"], [1])
    assert (second["kind"], second["references"], second["selected"]) == ("2-choose-1", ["b", "c"], [1])
    assert third["kind"] == "3-rank-2"


def test_columns_may_come_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, "note,selected_1,reference_2, query ,reference_1,session", "x,c,c,a,b,007")
    (row,) = plain(read_triplets(path).trials)
    assert (row["query"], row["references"], row["selected"], row["session"]) == ("a", ["b", "c"], [1], "007")


def test_optional_cells_may_be_empty(tmp_path: Path) -> None:
    header = "query,reference_1,reference_2,selected_1,participant,weight,response_ms"
    first, second = plain(read_triplets(written(tmp_path, header, "a,b,c,b,ann,0.5,12.5", "a,b,c,b,,NA,")).trials)
    assert (first["participant"], first["weight"], first["response_ms"]) == ("ann", 0.5, 12.5)
    assert (second["participant"], second["weight"], second["response_ms"]) == (None, None, None)


def test_byte_order_marks_blanks_quotes_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "triplets.csv"
    path.write_bytes('\ufeffquery,reference_1,reference_2,selected_1\r\n a ,"b, too",ç,ç \r\n'.encode())
    (row,) = plain(read_triplets(path).trials)
    assert (row["query"], row["references"], row["selected"]) == ("a", ["b, too", "ç"], [1])


def test_catch_trials_are_dropped_and_the_others_keep_their_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "query,reference_1,reference_2,selected_1", "a,a,c,a", "a,b,c,b", "c,b,c,c")
    judgments = read_triplets(path)
    assert judgments.catch == 2
    assert judgments.trials.trial_id.tolist() == [1]


HEADER = "query,reference_1,reference_2,selected_1"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([HEADER, "a,b,c,b", "a,b,c,x"], "line 3 selects x, which is not among its references"),
        ([HEADER, "a,b,c,x", "a,b,c,y"], r"line 2 \(and 1 more\) selects x, which"),
        ([HEADER, ",b,c,b"], "line 2 has no query"),
        ([HEADER, "a,b,b,b"], "line 2 shows a reference twice"),
        ([HEADER, "a,b,,b"], "line 2 has fewer than two references"),
        ([HEADER, "a,b,c,"], "line 2 selects nothing"),
        ([f"{HEADER},selected_2", "a,b,c,b,c"], "line 2 selects every reference"),
        ([f"{HEADER},reference_3,selected_2", "a,b,c,b,d,b"], "line 2 selects a reference twice"),
        ([HEADER, "a,b,c,b", "a,b,c"], "line 3 has 3 cells, the header 4"),
        (
            [f"{HEADER},weight", "a,b,c,b,heavy"],
            "column weight should hold values of type float or be empty; found 'heavy'",
        ),
        ([f"{HEADER},weight", "a,b,c,b,-1"], "line 2 has a negative or infinite weight"),
        ([f"{HEADER},weight", "a,b,c,b,inf"], "line 2 has a negative or infinite weight"),
        ([f"{HEADER},ranked", "a,b,c,b,maybe"], "column ranked should hold values of type bool or be empty"),
        ([HEADER], "a header and no trials"),
        (["query,reference_1,selected_1", "a,b,b"], r"the header should be query,reference_1,\.\.\."),
        (["anchor,positive,negative", "a,b,c"], r"the header should be .* it is anchor,positive,negative"),
        (["query,reference_1,reference_3,selected_1"], "numbers its reference columns 1, 3: some are missing"),
        (["query,reference_1,reference_2,selected_2"], "numbers its selected columns 2: some are missing"),
        (["query,query,reference_1,reference_2,selected_1"], "the header names query twice"),
        ([""], "it is empty"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, lines: list[str], complaint: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(JudgmentsError, match=complaint) as failure:
        read_triplets(path)
    assert str(failure.value).startswith(f"{path}: ")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\0q", f"{HEADER}\n".encode() + b"\xe9,b,c,b\n"])
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(JudgmentsError, match="UTF-8"):
        read_triplets(tmp_path / "t.csv")


def test_many_trials_keep_their_order_over_the_blocks_of_the_reader(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    chosen = rng.integers(0, 2, 50_000)
    names = [f"species_{i:03d}/a rather long name of a photograph {i:05d}.jpg" for i in range(900)]
    rows = [(names[i % 900], names[(i + 1) % 900], names[(i + 2 + i % 7) % 900]) for i in range(chosen.size)]
    lines = [f"{q},{a},{b},{(a, b)[c]},{i}" for i, ((q, a, b), c) in enumerate(zip(rows, chosen, strict=True))]
    trials = read_triplets(written(tmp_path, f"{HEADER},session", *lines)).trials
    assert (tmp_path / "triplets.csv").stat().st_size > 8 << 20  # several blocks of the CSV reader
    np.testing.assert_array_equal(trials.selected[:, 0], chosen)
    assert trials.images[trials.query].tolist() == [q for q, _, _ in rows]
    assert trials.images[trials.references[:, 1]].tolist() == [b for _, _, b in rows]
    assert trials.session[[0, -1]].tolist() == ["0", "49999"]
