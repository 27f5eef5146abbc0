from __future__ import annotations

import pytest

from simtool.judgments.headings import nearest


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
