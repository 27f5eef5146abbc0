"""The temperature of a model: planted ones are recovered, and tested trials are not fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from simtool.choice import rule_of
from simtool.choice.rule import ChoiceError
from simtool.choice.temperature import ChoiceModel, fit_temperature
from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.scoring.plan import Plan
from simtool.scoring.shown import ShownDistances, shown_distances
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.choice.enumerated import outcomes
from tests.scored import outcomes_of

TYPES = ["8-rank-2", "2-choose-1", "5-choose-2", "3-odd-1", "5-odd-1"]


def _observed(matrix: NDArray[np.float64], temperatures: dict[str, float], count: int, seed: int = 0) -> Trials:
    """Choices by Luce's rule among images with known distances, of some types with their temperatures."""
    rng = np.random.default_rng(seed)
    kinds = [parse_type(name) for name in temperatures]
    longest, most = max(kind.n_reference for kind in kinds), max(kind.n_select for kind in kinds)
    references, selected = np.full((count * len(kinds), longest), -1), np.full((count * len(kinds), most), -1)
    query = np.full(count * len(kinds), -1)
    for at, (kind, temperature) in enumerate(zip(kinds, temperatures.values(), strict=True)):
        rows = slice(at * count, (at + 1) * count)
        shown = np.argsort(rng.random((count, len(matrix))), axis=1)[:, : kind.n_reference + 1]
        places = rule_of(kind).pairs
        own = matrix[shown[:, places[0]], shown[:, places[1]]]  # the query is the last of the shown images
        chosen = rule_of(kind).draw(-own / temperature, rng)
        query[rows] = shown[:, -1] if kind.has_query else -1
        references[rows, : kind.n_reference] = shown[:, :-1]
        selected[rows, : kind.n_select] = chosen
    names = [str(kind) for kind in kinds for _ in range(count)]
    return Trials.build([f"image {number}" for number in range(len(matrix))], names, query, references, selected)


def _shown(trials: Trials, matrix: NDArray[np.float64]) -> ShownDistances:
    first, second = (side.astype(np.int32) for side in np.triu_indices(len(matrix), 1))
    table = DistanceTable.of(Pairs(trials.images, first, second, matrix[first, second]), DistanceInfo("m"))
    (found,) = shown_distances(table, Plan.of(trials), ["given"])
    return found


def _matrix(images: int = 40, seed: int = 1) -> NDArray[np.float64]:
    points = np.random.default_rng(seed).normal(size=(images, 3))
    return np.asarray(np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1)))


def _fitted(trials: Trials, matrix: NDArray[np.float64]) -> Outcomes:
    return ChoiceModel.of(trials).fitted(outcomes_of("m", "given", trials, matrix), _shown(trials, matrix))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("planted", [0.2, 1.0])
def test_a_planted_temperature_is_recovered(name: str, planted: float) -> None:
    matrix, kind = _matrix(), parse_type(name)
    trials = _observed(matrix, {name: planted}, 8000)
    distances = _shown(trials, matrix).of_type(kind, rule_of(kind).pairs)
    assert fit_temperature(rule_of(kind), distances, trials.selected) == pytest.approx(planted, rel=0.09)


@pytest.mark.parametrize("name", TYPES)
def test_it_is_the_maximum_that_a_search_without_derivatives_finds(name: str) -> None:
    matrix, kind = _matrix(), parse_type(name)
    trials = _observed(matrix, {name: 0.7}, 300)
    distances, rule = _shown(trials, matrix).of_type(kind, rule_of(kind).pairs), rule_of(kind)
    expected = minimize_scalar(
        lambda log: -rule.log_probability(-distances / math.exp(log), trials.selected).sum(),
        bounds=(-3, 3),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(rule, distances, trials.selected) == pytest.approx(math.exp(expected.x), rel=1e-5)
    scaled = fit_temperature(rule, 1e6 * distances + 5, trials.selected)
    assert scaled == pytest.approx(1e6 * math.exp(expected.x), rel=1e-5)  # a constant changes nothing


def test_a_model_that_predicts_the_opposite_guesses() -> None:
    matrix = _matrix()
    trials = _observed(matrix, {"8-rank-2": 0.5, "2-choose-1": 0.5, "3-odd-1": 0.5}, 200)
    found = _fitted(trials, matrix.max() - matrix)
    assert found.log_likelihood is not None
    assert found.probability is not None
    np.testing.assert_allclose(found.log_likelihood[:200], -np.log(56), rtol=1e-6)
    np.testing.assert_allclose(found.log_likelihood[200:400], -np.log(2), rtol=1e-6)
    np.testing.assert_allclose(found.log_likelihood[400:], -np.log(3), rtol=1e-6)
    np.testing.assert_array_equal(found.probability, 0.5)


def test_equal_distances_guess() -> None:
    trials = _observed(_matrix(), {"2-choose-1": 0.5}, 50)
    found = _fitted(trials, np.ones((40, 40)))
    assert found.log_likelihood == pytest.approx(np.full(50, -np.log(2)))


def test_choices_that_a_model_predicts_without_error_stay_finite() -> None:
    matrix = _matrix()
    trials = _observed(matrix, {"8-rank-2": 1e-9, "2-choose-1": 1e-9}, 60)
    found = _fitted(trials, matrix)
    assert found.log_likelihood is not None
    assert np.isfinite(found.log_likelihood).all()
    assert np.median(found.log_likelihood) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["4-rank-2", "4-choose-2", "4-odd-1", "3-odd-1"])
def test_likelihoods_are_those_of_listed_outcomes_under_the_temperature_of_other_folds(name: str) -> None:
    matrix, kind = _matrix(), parse_type(name)
    trials = _observed(matrix, {name: 0.6}, 60)
    model, shown, rule = ChoiceModel.of(trials), _shown(trials, matrix), rule_of(kind)
    found = model.fitted(outcomes_of("m", "given", trials, matrix), shown)
    assert found.log_likelihood is not None
    assert found.probability is not None
    distances, compared, tested = shown.of_type(kind, rule.pairs), Comparisons.of(trials), []
    for train, test in model.folds[kind]:
        assert not set(train) & set(test)
        assert len(train) + len(test) == 60
        temperature = fit_temperature(rule, distances[train], trials.selected[train])
        for trial in test:
            listed = outcomes(kind, np.exp(-distances[trial] / temperature))
            order = tuple(trials.selected[trial].tolist())
            key = order if kind.word == "rank" else tuple(sorted(order))
            assert found.log_likelihood[trial] == pytest.approx(math.log(listed[key]), rel=1e-5)
            mine = compared.trial == trial
            near = np.exp(-matrix[compared.anchor[mine], compared.near[mine]] / temperature)
            far = np.exp(-matrix[compared.anchor[mine], compared.far[mine]] / temperature)
            assert found.probability[mine] == pytest.approx(near / (near + far), rel=1e-5)
            tested.append(trial)
    assert sorted(tested) == list(range(60))


def test_each_type_has_its_own_temperature() -> None:
    matrix = _matrix()
    trials = _observed(matrix, {"8-rank-2": 0.3, "2-choose-1": 1.5}, 3000)
    found = _fitted(trials, matrix)
    compared, gap = Comparisons.of(trials), _shown(trials, matrix).gaps()
    assert found.probability is not None
    for name, planted in (("8-rank-2", 0.3), ("2-choose-1", 1.5)):
        of_type = np.isin(compared.trial, trials.of_type(parse_type(name))) & (abs(gap) > 0.1)
        temperature = gap[of_type] / np.log(found.probability[of_type] / (1 - found.probability[of_type].astype(float)))
        assert np.median(temperature) == pytest.approx(planted, rel=0.09)


def test_a_single_trial_of_a_type_is_refused() -> None:
    matrix = _matrix()
    trials = _observed(matrix, {"8-rank-2": 1.0, "2-choose-1": 1.0}, 3).take(np.array([0, 1, 2, 3]))
    with pytest.raises(ChoiceError, match="there is only one 2-choose-1 trial"):
        ChoiceModel.of(trials)
    assert len(ChoiceModel.of(trials.take(slice(0, 3))).folds[parse_type("8-rank-2")]) == 3
