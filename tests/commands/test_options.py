from __future__ import annotations

import pytest
import typer

from simtool.commands.options import pairs


def test_pairs_are_split_at_the_first_sign() -> None:
    assert pairs("--column", ["a=b", " selected_1 = x=y ", "skip="]) == {"a": "b", "selected_1": "x=y", "skip": ""}
    assert pairs("--column", None) == {}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [(["a"], "not of the form"), (["=a"], "not of the form"), (["a=b", "a=c"], "a is given twice")],
)
def test_a_value_that_is_no_pair_or_repeats_one_is_refused(texts: list[str], complaint: str) -> None:
    with pytest.raises(typer.BadParameter, match=complaint) as failure:
        pairs("--column", texts)
    assert failure.value.param_hint == "--column"
