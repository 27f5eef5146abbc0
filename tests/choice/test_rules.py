"""Every choice rule gives probabilities, with exact derivatives, that depend on ratios of similarities alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.choice import RULES, rule_of
from simtool.choice.rule import ChoiceError
from simtool.designs import DESIGNS, Choose, TrialType, parse_type
from tests.choice.enumerated import numerical_gradient, outcomes

TYPES = ["8-rank-2", "5-rank-4", "2-rank-1", "2-choose-1", "6-choose-3", "5-choose-4", "3-odd-1", "5-odd-1"]


def every_selection(name: str, spread: float = 2.0) -> tuple[TrialType, NDArray[np.float64], NDArray[np.int8]]:
    """One trial's log-similarities, repeated for every possible selection."""
    kind = parse_type(name)
    logs: NDArray[np.float64] = np.random.default_rng(3).normal(scale=spread, size=(rule_of(kind).pairs.shape[1],))
    selected = np.array(list(outcomes(kind, np.ones(logs.size))), np.int8)
    return kind, np.tile(logs, (len(selected), 1)), selected


def test_every_design_has_a_rule() -> None:
    assert set(RULES) == set(DESIGNS)


@pytest.mark.parametrize("name", TYPES)
def test_probabilities_equal_those_of_listed_outcomes(name: str) -> None:
    kind, logs, selected = every_selection(name)
    expected = list(outcomes(kind, np.exp(logs[0])).values())
    np.testing.assert_allclose(np.exp(rule_of(kind).log_probability(logs, selected)), expected, rtol=1e-12)
    np.testing.assert_allclose(sum(expected), 1)


@pytest.mark.parametrize("name", TYPES)
def test_derivatives_equal_central_differences(name: str) -> None:
    kind, logs, selected = every_selection(name)
    found = rule_of(kind).likelihood(logs, selected)
    np.testing.assert_allclose(found.gradient, numerical_gradient(rule_of(kind), logs, selected), atol=1e-8)
    np.testing.assert_allclose(found.gradient.sum(axis=1), 0, atol=1e-12)  # a common factor changes nothing


@pytest.mark.parametrize("name", TYPES)
def test_the_order_of_selection_counts_in_rankings_only(name: str) -> None:
    kind, logs, selected = every_selection(name)
    same = np.allclose(
        rule_of(kind).log_probability(logs, selected), rule_of(kind).log_probability(logs, selected[:, ::-1])
    )
    assert same == (kind.word != "rank" or kind.n_select == 1)


@pytest.mark.parametrize("name", TYPES)
def test_extreme_similarities_keep_finite_values(name: str) -> None:
    kind, logs, selected = every_selection(name, spread=3000.0)
    value, gradient = rule_of(kind).likelihood(logs, selected)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(value.max(), 0, atol=1e-12)  # one selection is certain, the others nearly impossible


@pytest.mark.parametrize("name", ["4-rank-2", "4-choose-2", "4-odd-1"])
def test_drawn_selections_have_these_probabilities(name: str) -> None:
    kind = parse_type(name)
    rule, count = rule_of(kind), 40_000
    logs = np.random.default_rng(5).normal(size=rule.pairs.shape[1])
    drawn = rule.draw(np.tile(logs, (count, 1)), np.random.default_rng(6))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    expected = outcomes(kind, np.exp(logs))
    assert {tuple(row) for row in found.tolist()} <= set(expected)
    chances = np.array([expected[tuple(row)] for row in found.tolist()])
    assert np.abs((counts - count * chances) / np.sqrt(count * chances * (1 - chances))).max() < 4.5


@pytest.mark.parametrize(
    ("name", "pairs"), [("3-rank-1", [[-1, -1, -1], [0, 1, 2]]), ("3-odd-1", [[0, 0, 1], [1, 2, 2]])]
)
def test_similarities_belong_to_these_pairs_of_images(name: str, pairs: list[list[int]]) -> None:
    assert rule_of(parse_type(name)).pairs.tolist() == pairs


def test_many_unranked_selections_are_refused_in_one_line() -> None:
    with pytest.raises(ChoiceError, match=r"^trial type 40-choose-20: .* at most 12 selected references"):
        rule_of(parse_type("40-choose-20"))


def test_a_design_without_a_rule_is_refused() -> None:
    class Scale(Choose):
        word = "scale"

    with pytest.raises(ChoiceError, match=r"^trial type 3-scale-1: its design has no choice rule"):
        rule_of(Scale(3, 1))
