from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.importing import import_judgments
from simtool.judgments.triplets import Layout
from tests.judgments.rows import lines, near_rows, odd_rows, table

TRIPLETS = [[9, 3, 11], [0, 5, 8], [6, 3, 7]]
ODD_LAST = "triplets-odd-last"


def written(folder: Path, text: str) -> Path:
    path = folder / "trials"
    path.write_text(text, encoding="utf-8")
    return path


def saved(folder: Path, triplets: object, dtype: DTypeLike | None = None) -> Path:
    path = folder / "trials.npy"
    np.save(path, np.array(triplets, dtype))
    return path


def test_the_format_says_which_column_is_the_odd_one(tmp_path: Path) -> None:
    path = written(tmp_path, "9 3 11\n0 5 8\n")
    last, first, near = (
        import_judgments(path, name).judgments.trials
        for name in ("triplets-odd-last", "triplets-odd-first", "triplets-near-far")
    )
    assert odd_rows(last) == [["9", "3", "11", "11"], ["0", "5", "8", "8"]]
    assert odd_rows(first) == [["9", "3", "11", "9"], ["0", "5", "8", "0"]]
    assert near_rows(near) == [["9", "3", "11"], ["0", "5", "8"]]


TEXTS = {
    "blanks": "9 3 11\n0 5 8\n6 3 7\n",
    "aligned by blanks": " 9  3 11 \n\n 0  5  8 \n 6  3  7 \n",
    "tabs": "9\t3\t11\n0\t5\t8\n6\t3\t7\n",
    "commas and blank lines": "9,3,11\n\n0,5,8\n6,3,7\n\n",
    "numpy.savetxt": "".join(" ".join(f"{number:.18e}" for number in row) + "\n" for row in TRIPLETS),
    "short floats, Windows": "9.0 3.0 11.0\r\n0.0 5.0 8.0\r\n6.0 3.0 7.0",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_spelling_of_numbers_gives_the_same_trials(tmp_path: Path, text: str) -> None:
    found = import_judgments(written(tmp_path, text), ODD_LAST).judgments.trials
    assert odd_rows(found) == [[*map(str, row), str(row[2])] for row in TRIPLETS]


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint32", ">i8", "float16", "float32", "float64"])
def test_every_type_of_array_gives_the_same_trials(tmp_path: Path, dtype: str) -> None:
    found = import_judgments(saved(tmp_path, TRIPLETS, dtype), ODD_LAST).judgments.trials
    assert odd_rows(found) == [[*map(str, row), str(row[2])] for row in TRIPLETS]


def test_an_array_in_fortran_order_is_read_by_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "trials.npy", np.asfortranarray(TRIPLETS))
    assert odd_rows(import_judgments(tmp_path / "trials.npy", ODD_LAST).judgments.trials)[0] == ["9", "3", "11", "11"]


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3, unique=True), min_size=1, max_size=20),
    st.sampled_from(list(Layout)),
)
@settings(max_examples=25, deadline=None)
def test_text_and_array_give_the_rows_that_were_written(rows: list[list[int]], layout: Layout) -> None:
    if layout is Layout.NEAR_FAR:  # so that it cannot be taken for queries without responses
        rows = [[9, 2, 1], *rows]
    with TemporaryDirectory() as folder:
        text = written(Path(folder), "".join(" ".join(map(str, row)) + "\n" for row in rows))
        for source in (text, saved(Path(folder), rows)):
            trials = layout.read(source, None).judgments.trials
            if layout.odd is None:
                assert near_rows(trials) == [list(map(str, row)) for row in rows]
            else:
                assert odd_rows(trials) == [[*map(str, row), str(row[layout.odd])] for row in rows]


def test_names_of_images_need_no_numbers(tmp_path: Path) -> None:
    scenes = import_judgments(written(tmp_path, "a.jpg b.jpg c.jpg\nd.jpg b.jpg a.jpg\n"), ODD_LAST)
    assert odd_rows(scenes.judgments.trials)[1] == ["d.jpg", "b.jpg", "a.jpg", "a.jpg"]
    food = import_judgments(
        written(tmp_path, "i/a.jpg; i/b.jpg; i/c.jpg\ni/d.jpg; i/b.jpg; i/a.jpg\n"), "triplets-near-far"
    )
    assert near_rows(food.judgments.trials)[1] == ["i/d.jpg", "i/b.jpg", "i/a.jpg"]


@pytest.mark.parametrize("text", [*TEXTS.values(), "a.jpg b.jpg c.jpg\n", "i/a.jpg; i/b.jpg; i/c.jpg\n", "1 2 3"])
def test_an_order_that_is_not_stated_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(JudgmentsError, match=r"do not say which image is the odd one: add --format triplets-odd-last"):
        import_judgments(written(tmp_path, text))


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_an_array_whose_order_is_not_stated_is_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(JudgmentsError, match=r"do not say which image is the odd one"):
        import_judgments(saved(tmp_path, TRIPLETS, dtype))


@pytest.mark.parametrize("values", [[[0.5, 1, 2]], [[0, 1]], [0, 1, 2], [[-1.0, 2, 3]], [[True, False, True]]])
def test_an_array_of_other_values_is_no_triplets(tmp_path: Path, values: object) -> None:
    with pytest.raises(JudgmentsError, match=r"this is a NumPy array \(\.npy\) of shape .*, not judgments"):
        import_judgments(saved(tmp_path, values))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3\n4 5\n", "line 2 has 2 cells, not 3"),
        ("1 2 3\n4 5 6 7\n", "line 2 has 4 cells, not 3"),
        ("1 2 3\n4 5.5 6\n", "line 2 has '5.5', which is not a whole number like other images"),
        ("1 2 3\n4 b.jpg 6\n", "line 2 has 'b.jpg', which is not a whole number like other images"),
        ("1 2 3\n4 nan 6\n4 inf 6\n", "line 2 (and 1 more) has 'nan', which is not a whole number"),
        ("1 2 3\n-1 2 3\n", "line 2 shows image -1, but images count from 0 in this format"),
        ("1 2 3\n1 2 40000000\n", "line 2 shows image 40000000; at most 10,000,000 images are read"),
        ("1 2 3\n1 2 1e300\n", "line 2 has '1e300', which is not a whole number"),
        ("1,2,3\n4,,6\n", "line 2 lacks an image"),
        ("1 2 3\n  \n\n6 6 4\n", "line 4 shows a reference twice"),
        ("  1  2  3\n\n  4  5\n", "line 3 has 2 cells, not 3"),
        ("  1  2  3\n\n  4  5  x\n", "line 3 has 'x', which is not a whole number"),
        ("1 2 3\n5 6 5\n", "line 2 shows a reference twice"),
        ("\n\n", "an empty file"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(written(tmp_path, text), ODD_LAST)
    assert complaint in str(failure.value)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([[1, 2, 3], [4, 5.5, 6]], "row 1 has 5.5, which is not a whole number"),
        ([[1, 2, 3], [4, np.nan, 6]], "row 1 has nan, which is not a whole number"),
        ([[1, 2, 3], [1, 2, -5]], "row 1 shows image -5, but images count from 0"),
        ([[1, 2, 2**62]], "row 0 shows image 4611686018427387904; at most 10,000,000 images"),
        ([[1, 2], [3, 4]], "should be numbers of shape (trials, 3); it is int64 of shape (2, 2)"),
        (np.zeros((0, 3)), "an array without rows"),
    ],
)
def test_a_malformed_array_is_refused(tmp_path: Path, values: object, complaint: str) -> None:
    with pytest.raises(JudgmentsError) as failure:
        import_judgments(saved(tmp_path, values), ODD_LAST)
    assert complaint in str(failure.value)


def test_a_truncated_array_is_called_truncated(tmp_path: Path) -> None:
    path = saved(tmp_path, TRIPLETS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JudgmentsError, match="but truncated: it ends before its last value; get it again"):
        import_judgments(path, ODD_LAST)


def test_an_array_of_python_objects_is_refused_and_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "trials.npy", np.array([["a", 1, None]], object), allow_pickle=True)
    with pytest.raises(JudgmentsError, match=r"an array of object .*; save numbers or text of a fixed width"):
        import_judgments(tmp_path / "trials.npy", ODD_LAST)


@pytest.mark.parametrize("layout", [ODD_LAST, "triplets-near-far"])
def test_queries_are_not_read_without_the_responses_of_the_same_folder(tmp_path: Path, layout: str) -> None:
    np.save(tmp_path / "query.npy", np.array(TRIPLETS))
    np.save(tmp_path / "response.npy", np.array([1, -1, 1]))
    with pytest.raises(JudgmentsError, match=r"its responses are in .*response\.npy: leave out --format"):
        import_judgments(tmp_path / "query.npy", layout)


def test_queries_without_their_responses_are_not_read_as_near_and_far(tmp_path: Path) -> None:
    rows = [[30, at, at + 1] for at in range(20)]
    with pytest.raises(JudgmentsError, match=r"these are cblearn's queries without their responses"):
        import_judgments(saved(tmp_path, rows), "triplets-near-far")
    assert len(import_judgments(saved(tmp_path, rows[:-1]), "triplets-near-far").judgments.trials) == 19
    assert len(import_judgments(saved(tmp_path, rows), ODD_LAST).judgments.trials) == 20


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("trainset.txt", "train"),
        ("train_90.txt", "train"),
        ("train_90.npy", "train"),
        ("validationset.txt", "test"),
        ("data1854_batch5_test10.txt", "test"),
        ("float-short.txt", "test"),
        ("test_10.npy", "test"),
    ],
)
def test_the_sample_is_read_rightly_and_refused_without_its_format(formats: Path, name: str, of: str) -> None:
    folder = formats / "triplets-odd-last"
    names = lines(folder / "unique_id.txt")
    expected = table(folder / "expected.csv", "set", "image_1", "image_2", "image_3", "odd")
    found = import_judgments(folder / name, ODD_LAST).judgments.trials
    assert odd_rows(found, names) == [row for part, *row in expected if part == of]
    with pytest.raises(JudgmentsError, match="add --format triplets-odd-last"):
        import_judgments(folder / name)


def test_the_samples_of_named_images_are_read_rightly(formats: Path) -> None:
    folder = formats / "cblearn"
    scenes = import_judgments(folder / "nature_triplets.txt", ODD_LAST).judgments.trials
    expected = table(folder / "expected-nature.csv", "image_1", "image_2", "odd", "odd")
    assert odd_rows(scenes) == [[f"{name}.jpg" for name in row] for row in expected]
    food = import_judgments(folder / "food-all-triplets.csv", "triplets-near-far").judgments.trials
    expected = table(folder / "expected.csv", "pivot", "nearer", "farther")
    assert near_rows(food) == [[f"images/{name}.jpg" for name in row] for row in expected]
