"""Simulated people: who judges which trial, and how they choose."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from simtool.designs import parse_type
from simtool.tables.trials import Trials
from simtool.validity.displays import Displays
from simtool.validity.people import Crowd, Habits
from tests.choice.enumerated import outcomes
from tests.scored import latent, observe


def one_display(kind: str, count: int, **columns: object) -> Trials:
    """The same display many times."""
    design = parse_type(kind)
    shown = np.arange(design.n_reference + 1)
    query, references = (0, shown[1:]) if design.has_query else (-1, shown[1:])
    return Trials.build(
        [f"i{place}" for place in shown],
        [kind] * count,
        np.full(count, query),
        np.tile(references, (count, 1)),
        np.tile(np.arange(design.n_select), (count, 1)),
        **columns,  # type: ignore[arg-type]
    )


def plain(displays: Displays, lapse: float = 0.0) -> Habits:
    count = len(displays)
    return Habits(np.ones(count), np.full(count, lapse), [np.ones(part.first.shape) for part in displays.parts])


@pytest.mark.parametrize("kind", ["3-rank-2", "4-choose-2", "3-odd-1"])
def test_people_without_habits_choose_as_often_as_the_rule_says(kind: str) -> None:
    displays = Displays(one_display(kind, 20_000))
    points = np.random.default_rng(0).normal(size=(len(displays.trials.images), 2))
    distances = displays.between(points)
    (drawn,) = Crowd(displays).choose(distances, 1.5, plain(displays), np.random.default_rng(1))
    counts = Counter(map(tuple, drawn.tolist()))
    expected = outcomes(parse_type(kind), np.exp(-1.5 * distances[0][0]))
    observed = np.array([counts[tuple(selection)] for selection in expected])
    assert observed.sum() == 20_000
    assert stats.chisquare(observed, 20_000 * np.array(list(expected.values()))).pvalue > 0.001


def test_who_always_lapses_chooses_at_random() -> None:
    displays = Displays(one_display("4-rank-1", 8_000))
    distances = displays.between(np.random.default_rng(0).normal(size=(5, 2)))
    (drawn,) = Crowd(displays).choose(distances, 50.0, plain(displays, lapse=1.0), np.random.default_rng(1))
    assert stats.chisquare(np.bincount(drawn[:, 0], minlength=4)).pvalue > 0.001


@pytest.mark.parametrize(
    ("participant", "session", "people"),
    [
        (["a", "a", "b", None], ["x", "y", "x", "x"], 3),  # the last judge is that of session x without a name
        ([None] * 4, ["x", "y", "x", None], 3),
        ([None] * 4, [None] * 4, 4),
        (["a"] * 4, ["x", "y", "x", "y"], 1),
        (["a", " ", "a", " "], ["x"] * 4, 2),
    ],
)
def test_a_trial_belongs_to_its_participant_else_to_its_session_else_to_nobody_known(
    participant: list[str | None], session: list[str | None], people: int
) -> None:
    displays = Displays(one_display("2-choose-1", 4, participant=participant, session=session))
    assert Crowd(displays).people == people


def test_habits_are_those_of_a_person_and_a_session() -> None:
    names = ["a", "a", "a", "b", "b"]
    displays = Displays(one_display("2-choose-1", 5, participant=names, session=["1", "1", "2", "1", "1"]))
    habits = Crowd(displays).draw(np.random.default_rng(0))
    assert habits.lapse[0] == habits.lapse[2] != habits.lapse[3] == habits.lapse[4]
    assert habits.sensitivity[0] == habits.sensitivity[1] != habits.sensitivity[2]
    assert habits.sensitivity[3] == habits.sensitivity[4] != habits.sensitivity[0]
    (taste,) = habits.taste
    np.testing.assert_array_equal(taste[0], taste[2])  # the same person sees the same images
    assert (taste[0] != taste[3]).all()


def test_the_order_of_rows_does_not_change_who_is_who() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 10), {"3-odd-1": 20, "2-choose-1": 20})
    order = rng.permutation(len(trials))
    one, other = (Crowd(Displays(each)).draw(np.random.default_rng(5)) for each in (trials, trials.take(order)))
    np.testing.assert_array_equal(one.sensitivity[order], other.sensitivity)
    np.testing.assert_array_equal(one.lapse[order], other.lapse)
