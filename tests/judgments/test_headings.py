from __future__ import annotations

import pytest

from simtool.judgments.headings import nearest, recognize


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("wieght", "weight"),
        ("particpant", "participant"),
        ("refrence_2", "reference_2"),
        ("subject", "participant"),
        ("height", None),
        ("country", None),
        ("age", None),
    ],
)
def test_a_name_that_is_close_to_a_column_means_it(name: str, meant: str | None) -> None:
    assert nearest(name) == meant


def test_a_row_of_ids_in_place_of_the_header_is_told() -> None:
    with pytest.raises(
        ValueError, match=r"the header should be query,.*; it is a, b, c, c; .* simtool import-embeddings takes vectors"
    ):
        recognize(["a", "b", "c", "c"])


def test_a_position_of_the_odd_one_is_read_by_its_own_format() -> None:
    with pytest.raises(ValueError, match="if choice is the position of the odd one, add --format things-raw"):
        recognize(["image1", "image2", "image3", "choice"])
