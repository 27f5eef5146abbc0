from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.ids import match_ids

NAMES = st.lists(st.text(alphabet="aAbB./\\éE1 ", min_size=1, max_size=8), max_size=8, unique=True)


@pytest.mark.parametrize(
    ("name", "one", "folds"),
    [
        ("birds\\a.jpg", "birds/a.jpg", ("separators",)),
        ("./birds//a.jpg", "birds/a.jpg", ("separators",)),
        ("Nestkästchen.jpg", unicodedata.normalize("NFD", "Nestkästchen.jpg"), ("Unicode composition",)),
        ("a.JPEG", "a.jpg", ("extension",)),
        ("a", "a.jpg", ("extension",)),
        ("a.png", "a.jpg", ("extension",)),
        ("Birds/A.jpg", "birds/a.jpg", ("case",)),
        ("Birds\\A", "birds/a.jpg", ("case", "extension", "separators")),
        ("/home/me/photos/birds/a.jpg", "birds/a.jpg", ("folders",)),
        ("birds/a.jpg", "C:\\photos\\birds\\a.jpg", ("folders", "separators")),
        ("a.jpg", "054.Blue_Grosbeak/a.jpg", ("folders",)),
        ("Cardinalidae/Blue_Grosbeak/a.jpg", "054.Blue_Grosbeak/a.jpg", ("folders",)),
    ],
)
def test_a_name_matches_an_id_that_is_spelled_otherwise(name: str, one: str, folds: tuple[str, ...]) -> None:
    matches = match_ids([name], ["other/z.jpg", one])
    assert matches.rows == [1]
    assert sorted(matches.folds) == sorted(folds)
    assert matches.note is not None
    assert matches.note.startswith("matched 1 of 1 images by spelling (")


def test_equal_ids_match_without_a_note_even_where_file_names_repeat() -> None:
    matches = match_ids(["b/x.jpg", "a/x.jpg", "b/x.jpg"], ["a/x.jpg", "b/x.jpg"])
    assert (matches.rows, matches.note, matches.complaint) == ([1, 0, 1], None, None)


def test_the_least_folding_that_finds_an_id_decides() -> None:
    # "a.jpg" equals one id in capitals, and another id below a folder.
    assert match_ids(["a.jpg"], ["birds/a.jpg", "A.jpg", "a.JPG"]).rows == [2]
    assert match_ids(["a.jpg"], ["birds/a.jpg", "A.jpg"]).rows == [1]


def test_roots_that_each_side_has_in_common_are_dropped_where_file_names_repeat() -> None:
    ids = ["/home/me/photos/wren/1.jpg", "/home/me/photos/tern/1.jpg"]
    assert match_ids(["stimuli/tern/1.jpg", "stimuli/wren/1.jpg"], ids).rows == [1, 0]


def test_folders_that_begin_alike_are_no_common_root() -> None:
    # "wren-1/1.jpg" and "wren-2/1.jpg" are not below a folder "wren-".
    assert match_ids(["1/1.jpg"], ["wren-1/1.jpg", "wren-2/1.jpg"]).rows == [-1]


def test_a_name_that_fits_several_ids_matches_none_and_is_named() -> None:
    matches = match_ids(["c/x.jpg", "y.jpg"], ["a/x.jpg", "b/x.jpg", "y.jpg"])
    assert matches.rows == [-1, 2]
    assert matches.complaint == ("1 of 2 images fit several of its ids: c/x.jpg fits a/x.jpg, b/x.jpg; use full ids")


def test_two_names_that_fit_one_id_match_none_but_the_equal_one() -> None:
    assert match_ids(["CAT.jpg", "Cat.jpg"], ["cat.jpg"]).rows == [-1, -1]
    matches = match_ids(["cat.jpg", "Cat.jpg"], ["cat.jpg"])
    assert matches.rows == [0, -1]
    assert matches.complaint == (
        "1 of its ids have two names: cat.jpg and Cat.jpg both fit cat.jpg; use one name for an image"
    )


def test_ids_of_both_sides_are_shown_where_nothing_fits() -> None:
    matches = match_ids(["p", "q", "r", "s"], ["1.jpg", "2.jpg"])
    assert matches.complaint == ("lacks images that are needed (4 of 4): p, q, r and 1 more; its ids are 1.jpg, 2.jpg")


def test_nothing_matches_nothing() -> None:
    assert match_ids([], ["a"]).rows == []
    assert match_ids(["a"], []).rows == [-1]


@given(NAMES, NAMES)
def test_an_equal_id_always_wins_and_no_id_has_two_names(names: list[str], ids: list[str]) -> None:
    rows = match_ids(names, ids).rows
    for name, row in zip(names, rows, strict=True):
        assert name not in ids or ids[row] == name
    found = [row for row in rows if row >= 0]
    assert len(found) == len(set(found))


@given(NAMES, NAMES, st.randoms())
def test_the_order_of_names_and_ids_does_not_matter(names: list[str], ids: list[str], random: object) -> None:
    def pairs(names: list[str], ids: list[str]) -> dict[str, str | None]:
        rows = match_ids(names, ids).rows
        return {name: ids[row] if row >= 0 else None for name, row in zip(names, rows, strict=True)}

    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pairs(names, ids) == pairs(names[::-1], shuffled)


def test_many_ids_with_one_file_name_take_no_time_of_their_square() -> None:
    ids = [f"session-{number}/image.png" for number in range(30_000)]
    start = time.perf_counter()
    assert match_ids(["image.png", "other.png"], ids).rows == [-1, -1]
    assert time.perf_counter() - start < 10
