"""A comparison becomes a trial that says the same."""

from __future__ import annotations

import numpy as np

from simtool.judgments.comparisons import Comparisons
from simtool.judgments.single import single_trials
from simtool.tables.observers import Observers
from simtool.tables.trials import Trials

TRIALS = Trials.build(
    ["a", "b", "c", "d"],
    ["3-rank-2", "3-odd-1"],
    np.array([1, -1]),
    np.array([[3, 0, 2], [0, 1, 2]]),
    np.array([[1, 0], [2, -1]]),
    trial_id=np.array([7, 9]),
    participant=["ann", "bob"],
    session=[None, "second"],
    weight=np.array([2.0, np.nan]),
    observers=Observers.HUMAN,
)


def test_single_comparisons_say_what_their_trials_say() -> None:
    comparisons = Comparisons.of(TRIALS)
    single = single_trials(TRIALS, comparisons)
    again = Comparisons.of(single)
    for name in ("anchor", "near", "far"):
        np.testing.assert_array_equal(getattr(again, name), getattr(comparisons, name))
    assert set(map(str, single.types)) == {"2-choose-1"}


def test_the_position_of_a_reference_says_nothing() -> None:
    references = single_trials(TRIALS, Comparisons.of(TRIALS)).references
    assert (references[:, 0] < references[:, 1]).all()


def test_single_comparisons_keep_who_judged_and_where_they_come_from() -> None:
    some = single_trials(TRIALS, Comparisons.of(TRIALS).take(np.array([1, 3])))
    assert some.participant.tolist() == ["ann", "bob"]
    assert some.session.tolist() == [None, "second"]
    assert some.weight.tolist()[0] == 2
    assert np.isnan(some.weight[1])
    assert some.observers is Observers.HUMAN
    assert some.extra["source_trial_id"].to_pylist() == [7, 9]
    assert some.extra["source_trial_type"].to_pylist() == ["3-rank-2", "3-odd-1"]
