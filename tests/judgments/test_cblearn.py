from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.importing import import_judgments
from tests.judgments.rows import lines, near_rows, odd_rows, table

QUERIES = [[0, 1, 2], [3, 2, 4], [1, 0, 4]]


def saved(folder: Path, queries: Any, responses: Any) -> Path:
    np.save(folder / "a-query.npy", np.array(queries))
    np.save(folder / "a-response.npy", np.array(responses))
    return folder / "a-query.npy"


def archived(folder: Path, **named: Any) -> Path:
    np.savez(folder / "a.npz", allow_pickle=True, **{name: np.array(values) for name, values in named.items()})
    return folder / "a.npz"


def read(source: Path) -> Judgments:
    reading = import_judgments(source)
    assert reading.format == "cblearn"
    return reading.judgments


@pytest.mark.parametrize("responses", [[True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], [1, -1, 1]])
def test_a_response_says_which_image_is_nearer(tmp_path: Path, responses: list[Any]) -> None:
    nearer = [["0", "1", "2"], ["3", "4", "2"], ["1", "0", "4"]]
    assert near_rows(read(saved(tmp_path, QUERIES, responses)).trials) == nearer
    assert near_rows(read(archived(tmp_path, query=QUERIES, response=responses)).trials) == nearer


def test_the_files_of_a_pair_are_both_stated(tmp_path: Path) -> None:
    path = saved(tmp_path, QUERIES, [True, False, True])
    assert import_judgments(path).files == [path, tmp_path / "a-response.npy"]


def test_a_number_counts_equal_answers_and_0_is_undecided(tmp_path: Path) -> None:
    judgments = read(saved(tmp_path, QUERIES, [3, 0, -2]))
    first, second = ["0", "1", "2"], ["1", "4", "0"]
    assert near_rows(judgments.trials) == [first, first, first, second, second]
    assert judgments.unanswered == 1
    assert judgments.trials.trial_id.tolist() == [0, 3, 4, 2, 5]


def test_a_sparse_tensor_holds_pivot_and_two_images(tmp_path: Path) -> None:
    path = archived(tmp_path, coords=np.transpose(QUERIES), data=[2, -1, 1], shape=[5, 5, 5])
    judgments = read(path)
    assert near_rows(judgments.trials) == [["0", "1", "2"], ["0", "1", "2"], ["3", "4", "2"], ["1", "0", "4"]]
    path = archived(tmp_path, coords=np.transpose(QUERIES), data=[1, 0, 1], shape=[5, 5, 5])
    assert (len(read(path).trials), read(path).unanswered) == (2, 1)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3, unique=True), min_size=1, max_size=9))
@settings(max_examples=25, deadline=None)
def test_converted_odd_one_out_judgments_are_read_once(odd_last: list[list[int]]) -> None:
    rows = np.array(odd_last)
    with TemporaryDirectory() as folder:
        path = Path(folder, "triplets.npy")
        np.save(path, np.concatenate([rows, rows[:, [1, 0, 2]]]))
        judgments = read(path)
    assert judgments.notes == ("each judgment is in the file twice, and was read once",)
    assert odd_rows(judgments.trials) == [[*map(str, row), str(row[2])] for row in odd_last]


def test_queries_without_responses_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", QUERIES)
    with pytest.raises(JudgmentsError, match=r"no responses: save query and response in one \.npz"):
        import_judgments(tmp_path / "a.npy", "cblearn")
    with pytest.raises(JudgmentsError, match="do not say which image is the odd one"):
        import_judgments(tmp_path / "a.npy")


def test_responses_name_the_file_to_give(tmp_path: Path) -> None:
    saved(tmp_path, QUERIES, [True, False, True])
    with pytest.raises(JudgmentsError, match=r"these are the responses; give the file of the queries, .*a-query\.npy"):
        import_judgments(tmp_path / "a-response.npy")


@pytest.mark.parametrize(
    ("queries", "responses", "complaint"),
    [
        (QUERIES, [True, False], "should be 3 responses, one for a query; it is bool of shape (2,)"),
        (QUERIES, [1, 0.5, 1], "row 1 has 0.5, which is not a whole number"),
        (QUERIES, [1, np.nan, 1], "row 1 has nan, which is not a whole number"),
        (QUERIES, [0, 0, 2**40], "its counts sum to 100,000,001; at most 100,000,000 are read"),
        (QUERIES, [2, 3, -(2**63)], "its counts sum to 100,000,006; at most 100,000,000 are read"),
        ([[0, 1, 1]], [1], "row 0 shows a reference twice"),
    ],
)
def test_malformed_arrays_are_refused(tmp_path: Path, queries: Any, responses: Any, complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(saved(tmp_path, queries, responses))
    assert complaint in str(failure.value)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"shape": [5, 5, 4]}, "row 1 (and 1 more) has coordinates outside of the shape of the tensor"),
        ({"shape": [5, 5]}, "shape: should be the shape of a tensor of three axes; it is int64 of shape (2,)"),
        ({"coords": QUERIES[:2]}, "coords: should be coordinates of shape (3, trials); it is int64 of shape (2, 3)"),
        ({"data": [1, 2]}, "data: should be 3 values, one for each coordinate"),
        ({"data": [1, 2, None]}, "data: no array that simtool reads (an array of object"),
    ],
)
def test_a_malformed_tensor_is_refused(tmp_path: Path, arrays: dict[str, Any], complaint: str) -> None:
    path = archived(tmp_path, **{"coords": np.transpose(QUERIES), "data": [1, 1, 1], "shape": [5, 5, 5]} | arrays)
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(path)
    assert complaint in str(failure.value)


@pytest.fixture
def names(formats: Path) -> list[str]:
    return lines(formats / "triplets-odd-last" / "unique_id.txt")


def test_the_samples_of_one_answer_a_query_are_read_rightly(formats: Path, names: list[str]) -> None:
    folder = formats / "cblearn"
    expected = table(folder / "expected.csv", "pivot", "nearer", "farther")
    order = import_judgments(folder / "list-order.npy", "triplets-near-far").judgments.trials
    assert near_rows(order, names) == expected
    assert near_rows(read(folder / "list-boolean-query.npy").trials, names) == expected


@pytest.mark.parametrize("name", ["list-count-query.npy", "list-count-unrolled-query.npy"])
def test_the_samples_of_counts_are_read_rightly(formats: Path, names: list[str], name: str) -> None:
    folder = formats / "cblearn"
    judgments = read(folder / name)
    counts = table(folder / "expected-counts.csv", "pivot", "nearer", "farther", "times", "undecided")
    expected = [row[:3] for row in counts if row[4] == "0" for _ in range(int(row[3]))]
    assert sorted(near_rows(judgments.trials, names)) == sorted(expected)
    assert judgments.unanswered == sum(int(row[4]) for row in counts) > 0


def test_the_sample_of_a_tensor_is_read_rightly(formats: Path, names: list[str]) -> None:
    folder = formats / "cblearn"
    found = near_rows(read(folder / "tensor-count-coo.npz").trials, names)
    assert sorted(found) == sorted(table(folder / "expected.csv", "pivot", "nearer", "farther"))


def test_the_sample_of_odd_one_out_is_read_rightly(formats: Path, names: list[str]) -> None:
    folder = formats / "cblearn"
    trials = read(folder / "from-oddoneout.npy").trials
    expected = table(folder / "expected-oddoneout.csv", "pivot", "nearer", "odd", "odd")
    assert odd_rows(trials, names) == expected[: len(expected) // 2]
    comparisons = sorted(odd_rows(trials, names))
    assert sorted([row[1], row[0], *row[2:]] for row in comparisons) == sorted(expected[len(expected) // 2 :])


@pytest.mark.parametrize("name", ["list-boolean-response.npy", "list-order.npy", "list-count-response.npy"])
def test_a_sample_that_is_not_clear_is_refused(formats: Path, name: str) -> None:
    with pytest.raises(JudgmentsError, match=r"these are the responses|do not say which image is the odd one"):
        import_judgments(formats / "cblearn" / name)
