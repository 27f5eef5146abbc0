"""The names of baselines."""

from __future__ import annotations

import re

import pytest

from simtool.analysis.baseline import Baseline
from simtool.analysis.report import ReportError

ENTRIES = [("pixels", "mse"), ("pixels", "cosine"), ("keras:resnet", "mse"), ("keras:resnet", "cosine")]


@pytest.mark.parametrize(
    ("text", "baseline"),
    [
        ("pixels", Baseline("pixels")),
        ("pixels:cosine", Baseline("pixels", "cosine")),
        ("keras:resnet", Baseline("keras:resnet")),
        ("keras:resnet:mse", Baseline("keras:resnet", "mse")),
    ],
)
def test_a_baseline_is_a_model_or_a_model_with_a_distance(text: str, baseline: Baseline) -> None:
    assert Baseline.named(text, ENTRIES) == baseline


def test_a_model_of_exactly_this_name_comes_first() -> None:
    assert Baseline.named("pixels:mse", [*ENTRIES, ("pixels:mse", "dot")]) == Baseline("pixels:mse")


@pytest.mark.parametrize(
    ("text", "entries", "line"),
    [
        ("glow", ENTRIES, "the baseline glow is not among the models: pixels, keras:resnet"),
        (
            "pixel",
            ENTRIES,
            "the baseline pixel is not among the models: pixels, keras:resnet (did you mean pixels?)",
        ),
        (
            "colour",
            [*ENTRIES, ("colour (window 0.5)", "mse")],
            "the baseline colour is not among the models: pixels, keras:resnet, colour (window 0.5) "
            "(did you mean colour (window 0.5)?)",
        ),
        ("pixels:dot", ENTRIES, "the baseline pixels:dot has no outcomes; the distances of the model: mse, cosine"),
        (
            "a:b:c",
            [("a", "b:c"), ("a:b", "c")],
            "the baseline a:b:c can be a with b:c or a:b with c; score one of them with another name (--name)",
        ),
    ],
)
def test_a_name_without_one_meaning_is_refused_in_one_line(
    text: str, entries: list[tuple[str, str]], line: str
) -> None:
    with pytest.raises(ReportError, match=f"^{re.escape(line)}$"):
        Baseline.named(text, entries)


def test_a_model_is_compared_with_the_baseline_of_the_same_distance() -> None:
    assert Baseline("pixels").pairs([*ENTRIES, ("keras:resnet", "dot")]) == [(2, 0), (3, 1)]


def test_a_model_with_a_distance_is_compared_with_everything_else() -> None:
    assert Baseline("pixels", "cosine").pairs(ENTRIES) == [(0, 1), (2, 1), (3, 1)]


def test_models_without_the_baseline_are_not_compared() -> None:
    assert Baseline("pixels", "dot").pairs(ENTRIES) == []
