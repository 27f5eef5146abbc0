"""Observations and clusters."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.analysis.inference.observations import Observations, clusters_of
from simtool.analysis.study import Study
from simtool.tables.trials import Trials
from tests.scored import latent, observe

IMAGES = ["d", "b", "a", "c", "unused"]


def _two_trials(participant: list[str | None] | None = None, session: list[str | None] | None = None) -> Trials:
    """3-rank-2: query d, references b a c, choices c then b. 2-choose-1: query a, references b d, choice d."""
    return Trials.build(
        IMAGES,
        ["3-rank-2", "2-choose-1"],
        np.array([0, 2]),
        np.array([[1, 2, 3], [1, 0, -1]]),
        np.array([[2, 0], [1, -1]]),
        participant=participant,
        session=session,
    )


def test_a_comparison_has_its_query_its_selected_and_its_other_reference() -> None:
    trials = _two_trials(participant=["x", "y"])
    observed = Study(trials).compared
    names = np.array(["a", "b", "c", "d"])[observed.images]
    assert names.tolist() == [["d", "c", "b"], ["d", "c", "a"], ["d", "b", "a"], ["a", "d", "b"]]
    assert observed.trial.tolist() == [0, 0, 0, 1]
    assert (observed.cluster_count, observed.image_count) == (2, 4)


def test_a_choice_has_its_query_and_its_first_two_choices() -> None:
    trials = _two_trials(participant=["x", "y"])
    observed = Study(trials).chosen
    assert np.array(["a", "b", "c", "d"])[observed.images].tolist() == [["d", "c", "b"], ["a", "d", "b"]]


def test_two_choose_one_choices_are_its_comparisons() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 9), {"2-choose-1": 50})
    choices, comparisons = Study(trials).chosen, Study(trials).compared
    assert np.array_equal(choices.images, comparisons.images)
    assert np.array_equal(choices.cluster, comparisons.cluster)


@pytest.mark.parametrize(
    ("columns", "name", "count"),
    [
        ({"participant": ["x", "y"], "session": ["1", "1"]}, "participants", 2),
        ({"participant": [None, None], "session": ["1", "2"]}, "sessions", 2),
        ({"participant": ["x", "x"], "session": ["1", "2"]}, "sessions", 2),
        ({"participant": ["x", "x"], "session": ["1", "1"]}, "trials", 2),
        ({}, "trials", 2),
    ],
)
def test_clusters_are_participants_else_sessions_else_trials(
    columns: dict[str, list[str | None]], name: str, count: int
) -> None:
    clusters = clusters_of(_two_trials(**columns))
    assert (clusters.name, clusters.count) == (name, count)


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_trial_without_a_name_belongs_to_no_cluster(blank: str | None) -> None:
    rng = np.random.default_rng(0)
    who = ["x", blank, "y", blank, "x"]
    trials = observe(rng, latent(rng, 9), {"2-choose-1": 5}, participant=who)
    clusters = clusters_of(trials)
    assert (clusters.name, clusters.count, clusters.participants, clusters.unnamed) == ("participants", 2, 2, 2)
    assert clusters.code.tolist() == [0, -1, 1, -1, 0]


def test_a_single_name_among_none_leaves_trials() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 9), {"2-choose-1": 3}, participant=["x", None, "x"])
    clusters = clusters_of(trials)
    assert (clusters.name, clusters.count, clusters.participants, clusters.unnamed) == ("trials", 3, 1, 1)


def test_an_image_that_every_observation_shows_can_be_left_out() -> None:
    images = np.array([[4, 1, 2], [1, 3, 4], [2, 4, 0]])
    observations = Observations(np.arange(3), np.arange(3), images, 3, 5)
    assert observations.shown_by_all().tolist() == [4]
    assert observations.take(np.arange(2)).shown_by_all().tolist() == [1, 4]
    assert observations.without_shared_images().images.tolist() == [[1, 2], [1, 3], [2, 0]]


def test_codes_follow_names_and_not_rows() -> None:
    rng = np.random.default_rng(2)
    trials = observe(rng, latent(rng, 12), {"8-rank-2": 20, "2-choose-1": 20})
    order = rng.permutation(len(trials))
    moved = trials.take(order)
    straight, shuffled = (Study(each).compared for each in (trials, moved))
    for trial, source in enumerate(order):
        assert np.array_equal(shuffled.cluster[shuffled.trial == trial], straight.cluster[straight.trial == source])
        assert np.array_equal(shuffled.images[shuffled.trial == trial], straight.images[straight.trial == source])
