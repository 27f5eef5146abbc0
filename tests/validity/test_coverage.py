"""Coverage, type I error and power of simulated studies, for a design with a known answer.

``benchmarks/validity.py`` does the same over thousands of studies; these tests would notice wrong intervals only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.inference.units import Units
from simtool.tables.trials import Trials
from simtool.validity.check import check_design, world_of
from simtool.validity.coverage import Coverage, Simulated, simulate
from simtool.validity.displays import Displays
from simtool.validity.population import Population, Redrawn
from simtool.validity.setting import Setting
from simtool.validity.world import BLIND, GOOD, TWIN, WEAKER, World
from tests.scored import latent, model, observe, outcomes_of

SETTING = Setting(replicates=100)
STUDIES = 60


@pytest.fixture(scope="module")
def world(trials: Trials) -> World:
    return World(Displays(trials), Population.of(trials)).calibrated(0.8, 0.7, SETTING)


@pytest.fixture(scope="module")
def simulated(world: World) -> dict[Redrawn, Simulated]:
    return {redrawn: simulate(world, redrawn, STUDIES, SETTING)[0] for redrawn in (Redrawn.NOTHING, Redrawn.IMAGES)}


def test_intervals_for_the_same_images_hold_the_truth_with_fixed_images(world: World) -> None:
    usual, fixed = simulate(world, Redrawn.NOTHING, STUDIES, SETTING)
    for each, other in zip(fixed.coverage, usual.coverage, strict=True):
        assert each.units is Units.NOTHING
        assert each.held.value > 0.85, each
        assert 0.7 < each.width < 1.4 < 1.6 * other.width
        assert each.width < other.width


def row(simulated: Simulated, of: str) -> Coverage:
    return next(each for each in simulated.coverage if each.of == of)


def test_a_calibrated_world_has_the_accuracies_that_were_asked_for(world: World) -> None:
    credit = np.array([world.study(number, Redrawn.IMAGES)[1] for number in range(30)]).mean(axis=(0, 2))
    assert credit[GOOD] == pytest.approx(0.7, abs=0.015)
    assert credit[TWIN] == pytest.approx(credit[GOOD], abs=0.015)
    assert credit[BLIND] == pytest.approx(0.5, abs=0.02)
    assert credit[WEAKER] < credit[GOOD] - 0.02


def test_the_same_number_is_the_same_study_and_another_seed_another_one(world: World) -> None:
    (one, first), (same, again) = world.study(3, Redrawn.IMAGES), world.study(3, Redrawn.IMAGES)
    np.testing.assert_array_equal(one.selected, same.selected)
    np.testing.assert_array_equal(first, again)
    other, _ = replace(world, seed=1).study(3, Redrawn.IMAGES)
    assert (one.selected != other.selected).any()


def test_with_new_images_intervals_hold_the_truth(simulated: dict[Redrawn, Simulated]) -> None:
    for each in simulated[Redrawn.IMAGES].coverage:
        assert each.held.value > 0.85, each
        assert each.rejected is None or each.rejected.value < 0.15, each
    equal = row(simulated[Redrawn.IMAGES], "equal")
    assert equal.truth == 0
    assert equal.held.count + equal.rejected.count == STUDIES if equal.rejected else False


def test_with_the_same_images_intervals_are_too_wide(simulated: dict[Redrawn, Simulated]) -> None:
    same, new = (row(simulated[redrawn], "good") for redrawn in (Redrawn.NOTHING, Redrawn.IMAGES))
    assert same.width > 1.2 * new.width
    assert 0.6 < new.width < 1.7


def test_the_power_is_near_the_predicted_one(simulated: dict[Redrawn, Simulated]) -> None:
    found = simulated[Redrawn.IMAGES].power
    assert found.predicted > 0.4
    assert found.observed.value == pytest.approx(found.predicted, abs=4 * found.observed.error)


@pytest.mark.parametrize("people", [0, 1])
def test_a_tiny_study_of_one_person_or_of_nobody_can_be_checked(people: int) -> None:
    rng = np.random.default_rng(1)
    minds = latent(rng, 4)
    trials = observe(rng, minds, {"2-choose-1": 3}, participants=people)
    scored = [outcomes_of(str(noise), "mse", trials, model(rng, minds, noise)) for noise in (0.1, 3.0)]
    found = check_design(scored, world_of(scored, SETTING), 10, SETTING)
    assert found.studies == 10
    assert all(0 <= each.held.value <= 1 for each in found.coverage)
