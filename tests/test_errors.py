from __future__ import annotations

from simtool.errors import clipped, listed


def test_the_first_few_of_many_are_named() -> None:
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(range(1005)) == "0, 1, 2 and 1,002 more"


def test_long_names_are_cut() -> None:
    assert clipped("x" * 200) == "x" * 200
    assert listed(["x" * 201, "y"]) == "x" * 200 + "..., y"
