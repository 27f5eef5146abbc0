"""Model recovery: the model that people judge by has the highest accuracy, unless a rival is as good."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.tables.trials import Trials
from simtool.validity.displays import Displays, Distances
from simtool.validity.recovery import Recovered, recover, zero_shot
from simtool.validity.setting import Label

STUDIES = 30


def recovered(trials: Trials, points: dict[Label, np.ndarray], label: Label, accuracy: float = 0.75) -> Recovered:
    displays = Displays(trials)
    models: dict[Label, Distances] = {own: displays.between(place) for own, place in points.items()}
    return recover(displays, label, models[label], zero_shot(displays, models), accuracy, STUDIES, 0)


def places(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(30, 4)) for _ in range(count)]


def test_the_model_that_people_judge_by_wins_against_unrelated_models(trials: Trials) -> None:
    one, other, third = places(3)
    found = recovered(trials, {("one", "d"): one, ("other", "d"): other, ("third", "d"): third}, ("other", "d"))
    assert (found.won.count, found.rival) == (STUDIES, None)
    assert found.lead is not None
    assert found.lead > 0.1


def test_people_are_as_predictable_as_the_accuracy_tells(trials: Trials) -> None:
    one, other = places(2)
    for accuracy in (0.6, 0.85):
        found = recovered(trials, {("one", "d"): one, ("other", "d"): other}, ("one", "d"), accuracy)
        assert found.accuracy == pytest.approx(accuracy, abs=0.02)


def test_a_model_that_differs_little_wins_in_some_studies(trials: Trials) -> None:
    one, error = places(2)
    found = recovered(trials, {("one", "d"): one, ("near", "d"): one + 0.05 * error}, ("one", "d"))
    assert 0.1 < found.won.value < 1
    assert found.rival == "near"
    assert found.lead is not None
    assert abs(found.lead) < 0.02


@pytest.mark.parametrize("own", ["one", "twin"])
def test_a_model_with_an_equal_twin_is_not_recovered(trials: Trials, own: str) -> None:
    """Whatever the order of the two."""
    (one,) = places(1)
    found = recovered(trials, {("one", "d"): one, ("twin", "d"): one}, (own, "d"))
    assert (found.won.count, found.lead) == (0, 0)
    assert found.rival == ("twin" if own == "one" else "one")


def test_another_distance_of_the_same_model_is_no_rival(trials: Trials) -> None:
    one, other = places(2)
    points = {("one", "d"): one, ("one", "e"): one * 1.001, ("other", "d"): other}
    assert recovered(trials, points, ("one", "d")).won.count == STUDIES


def test_a_single_model_has_nothing_to_be_compared_with(trials: Trials) -> None:
    found = recovered(trials, {("one", "d"): places(1)[0]}, ("one", "d"))
    assert (found.won.value, found.rival, found.lead) == (1, None, None)


def test_distances_may_be_negative_and_have_any_unit(trials: Trials) -> None:
    displays = Displays(trials)
    one, other = (displays.between(place) for place in places(2))
    moved = [1e6 * own - 3e6 for own in one]
    models: dict[Label, Distances] = {("one", "dot"): moved, ("other", "d"): other}
    found = recover(displays, ("one", "dot"), moved, zero_shot(displays, models), 0.75, STUDIES, 0)
    assert found.won.count == STUDIES
    assert found.accuracy == pytest.approx(0.75, abs=0.02)
