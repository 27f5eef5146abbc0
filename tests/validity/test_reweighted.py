"""Models that learn from judgments: a rival that learns wins some studies that it lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.report import Sample
from simtool.tables.trials import Trials
from simtool.validity.check import Check, check_students
from simtool.validity.displays import Displays
from simtool.validity.recovery import Vectors
from simtool.validity.reweighted import RECIPE, Students
from simtool.validity.setting import Setting

SMALL = replace(RECIPE, components=4, penalties=(10.0,))


@pytest.fixture(scope="module")
def vectors() -> dict[str, NDArray[np.float64]]:
    """A model, the same space in other coordinates with other weights, and an unrelated model."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(30, 4))
    return {"own": own, "mixed": own @ rng.normal(size=(4, 4)), "other": rng.normal(size=(30, 4))}


def test_distances_are_those_of_cosine(trials: Trials, vectors: dict[str, NDArray[np.float64]]) -> None:
    displays = Displays(trials)
    for part, found in zip(displays.parts, Students(displays, vectors, SMALL).as_they_are("own"), strict=True):
        one, other = (vectors["own"][side] for side in (part.first, part.second))
        product = (one * other).sum(axis=-1)
        lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
        np.testing.assert_allclose(found, 1 - product / lengths, atol=1e-12)


def test_a_model_learns_from_judgments_and_is_tested_on_others(
    trials: Trials, vectors: dict[str, NDArray[np.float64]]
) -> None:
    displays = Displays(trials)
    students = Students(displays, vectors, SMALL)
    distances = students.as_they_are("own")
    rng = np.random.default_rng(0)
    near = [part.rule.draw(-8 * own, rng) for part, own in zip(displays.parts, distances, strict=True)]
    found = students.judge(near)
    plain = displays.credit(displays.compared(near), students.as_they_are("mixed")).mean()
    assert found["mixed", "cosine"] > plain + 0.03
    assert found["own", "cosine"] > found["other", "cosine"] + 0.1


def test_recovery_is_shown_for_both_rules_of_people_and_both_states_of_models(
    trials: Trials, vectors: dict[str, NDArray[np.float64]]
) -> None:
    displays = Displays(trials)
    pair = {name: vectors[name] for name in ("own", "other")}
    students = Students(displays, pair, SMALL)
    models = {(name, "cosine"): students.as_they_are(name) for name in pair}
    sample = Sample("participants", 12, 30, 240, 12, 0, 0)
    check = Check(sample, Setting(), 10, 0.8, (), (), ())
    found = check_students(check, students, models, 1).students
    assert {(row.model, row.rule, row.candidates) for row in found} == {
        (name, rule, state) for name in pair for rule in Vectors for state in Vectors
    }
    plain = [row for row in found if row.rule is row.candidates is Vectors.PLAIN]
    assert all(row.won.value == 1 for row in plain)
