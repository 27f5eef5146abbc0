"""Simulated observers: the known rule, the design, and what a perfect model can reach."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from simtool.toy.observers import (
    ATTENTION,
    PREFIX,
    Design,
    Observer,
    SimulatedJudgments,
    draw_observer,
    known_attributes,
    simulate_judgments,
    write_judgments,
)
from simtool.toy.population import Population, draw_population

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def population() -> Population:
    return draw_population(seed=0)


@pytest.fixture(scope="module")
def judgments(population: Population) -> SimulatedJudgments:
    return simulate_judgments(population, observers=60, seed=0)


def luce(similarity: Floats, order: tuple[int, ...]) -> float:
    """The probability of an ordered selection: s1 / sum of all, times s2 / sum of the rest, ..."""
    left, probability = list(range(similarity.size)), 1.0
    for chosen in order:
        probability *= similarity[chosen] / similarity[left].sum()
        left.remove(chosen)
    return probability


def observer(beta: float = 3.0, tau: float = 1.0, gamma: float = 0.01, lapse: float = 0.0) -> Observer:
    return Observer("simulated-001", ATTENTION, beta, tau, gamma, lapse)


@pytest.mark.parametrize(("tau", "gamma", "lapse"), [(1.0, 0.01, 0.0), (2.0, 0.0, 0.0), (1.0, 0.05, 0.3)])
def test_ordered_choices_come_as_often_as_luce_says(tau: float, gamma: float, lapse: float) -> None:
    distance = np.array([0.2, 0.5, 0.7, 1.1])
    chooser = observer(3.0, tau, gamma, lapse)
    selected = chooser.choose(np.random.default_rng(1), np.tile(distance, (40_000, 1)), 2)
    similarity = np.exp(-3.0 * distance**tau) + gamma
    orders = list(itertools.permutations(range(4), 2))
    expected = np.array([lapse / 12 + (1 - lapse) * luce(similarity, order) for order in orders])
    observed = np.array([(selected == order).all(axis=1).sum() for order in orders])
    assert expected.sum() == pytest.approx(1.0)
    assert stats.chisquare(observed, expected * len(selected)).pvalue > 0.001


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=8, unique=True), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_an_observer_of_infinite_beta_without_lapses_picks_the_nearest(steps: list[int], seed: int) -> None:
    distance = np.array([steps], np.float64) / 100.0
    selected = observer(beta=math.inf, gamma=0.0).choose(np.random.default_rng(seed), distance, 2)
    assert selected[0].tolist() == np.argsort(distance[0])[:2].tolist()


def test_an_observer_who_always_lapses_chooses_blindly() -> None:
    selected = observer(beta=50.0, lapse=1.0).choose(np.random.default_rng(2), np.tile([0.1, 5.0], (4_000, 1)), 1)
    assert abs(selected.mean() - 0.5) < 4 * 0.5 / math.sqrt(4_000)


def test_similarity_survives_distances_at_which_its_exponential_underflows() -> None:
    far = observer(beta=10.0, gamma=0.0).log_similarity(np.array([100.0, 200.0]))
    assert far.tolist() == [-1000.0, -2000.0]


def test_blocks_of_attributes_count_equally_before_they_are_weighed(population: Population) -> None:
    attributes = known_attributes(population)
    start = 0
    for name, length in attributes.blocks:
        block = attributes.values[:, start : start + length]
        squared = ((block[:, None] - block[None]) ** 2).sum(axis=-1)
        assert squared.mean() == pytest.approx(1.0), name
        start += length
    assert start == attributes.values.shape[1]


def test_weighted_distance_is_the_sum_over_blocks_of_attention_times_distance(population: Population) -> None:
    attributes = known_attributes(population)
    place = attributes.weighted(ATTENTION)
    start, expected = 0, 0.0
    for name, length in attributes.blocks:
        difference = attributes.values[3, start : start + length] - attributes.values[90, start : start + length]
        expected += ATTENTION[name] * float(difference @ difference)
        start += length
    assert float(((place[3] - place[90]) ** 2).sum()) == pytest.approx(expected)


def test_attention_sums_to_one_and_differs_between_observers() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_observer(rng, number) for number in range(1, 31)]
    assert sum(ATTENTION.values()) == pytest.approx(1.0)
    assert all(sum(one.attention.values()) == pytest.approx(1.0) for one in drawn)
    mean = {name: np.mean([one.attention[name] for one in drawn]) for name in ATTENTION}
    assert mean == pytest.approx(dict(ATTENTION), abs=0.05)
    assert len({one.beta for one in drawn}) == 30


def test_every_participant_is_named_as_simulated(judgments: SimulatedJudgments) -> None:
    assert PREFIX == "simulated-"
    assert sorted(set(judgments.participant)) == [f"simulated-{number:03}" for number in range(1, 61)]
    assert all(session.startswith(name) for name, session in zip(judgments.participant, judgments.session, strict=True))
    assert len(set(judgments.session)) == 120


def test_trial_types_stand_in_the_proportion_of_birds_16(judgments: SimulatedJudgments) -> None:
    length = (judgments.references >= 0).sum(axis=1)
    rank, choose = int((length == 8).sum()), int((length == 2).sum())
    assert rank + choose == len(judgments) == 4680
    assert rank / choose == pytest.approx(8_772 / 7_520, abs=0.001)
    chosen = (judgments.selected >= 0).sum(axis=1)
    assert chosen.tolist() == np.where(length == 8, 2, 1).tolist()


def test_no_display_shows_a_bird_twice(judgments: SimulatedJudgments) -> None:
    for query, references in zip(judgments.query, judgments.references, strict=True):
        shown = [query, *references[references >= 0]]
        assert len(set(shown)) == len(shown)


def test_answers_do_not_stand_first(judgments: SimulatedJudgments) -> None:
    full = judgments.references[:, 2] >= 0
    counts = np.bincount(judgments.selected[full, 0], minlength=8)
    assert stats.chisquare(counts).pvalue > 0.001
    counts = np.bincount(judgments.selected[~full, 0], minlength=2)
    assert stats.chisquare(counts).pvalue > 0.001


def test_displays_of_two_references_are_shown_to_several_observers(judgments: SimulatedJudgments) -> None:
    choose = judgments.references[:, 2] < 0
    displays = np.column_stack([judgments.query, np.sort(judgments.references[:, :2], axis=1)])[choose]
    repeats = choose.sum() / len(np.unique(displays, axis=0))
    assert 2.0 < repeats < 3.0


def test_a_seed_fixes_the_judgments_and_another_seed_changes_them(population: Population) -> None:
    first, again, other = (simulate_judgments(population, 5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.selected, again.selected)
    assert np.array_equal(first.references, again.references)
    assert not np.array_equal(first.references, other.references)


@pytest.mark.parametrize(("families", "observers"), [(4, 0), (2, 3)])
def test_too_few_birds_or_observers_are_refused(families: int, observers: int) -> None:
    few = draw_population(0, families, species_per_family=4, images_per_species=1)
    with pytest.raises(ValueError, match="needs at least one observer and 9 birds"):
        simulate_judgments(few, observers)


Comparison = tuple[int, int, int]


def comparisons(judgments: SimulatedJudgments) -> list[tuple[str, Comparison]]:
    """Who preferred which bird over which other one, given a query: (name, (query, chosen, other))."""
    implied = []
    for query, references, selected, name in zip(
        judgments.query, judgments.references, judgments.selected, judgments.participant, strict=True
    ):
        left = references[references >= 0].tolist()
        for bird in references[selected[selected >= 0]].tolist():
            left.remove(bird)
            implied += [(name, (int(query), bird, other)) for other in left]
    return implied


def test_the_known_attributes_predict_choices_well_but_not_beyond_what_noise_allows(
    population: Population, judgments: SimulatedJudgments
) -> None:
    attributes = known_attributes(population)
    implied = comparisons(judgments)
    query, chosen, other = np.array([birds for _, birds in implied]).T

    def distances(place: Floats, rows: NDArray[np.bool_] | slice = slice(None)) -> tuple[Floats, Floats]:
        near, far = (np.linalg.norm(place[query[rows]] - place[birds[rows]], axis=1) for birds in (chosen, other))
        return near, far

    def accuracy(place: Floats) -> float:
        near, far = distances(place)
        return float((near < far).mean())

    # One who knew each observer's own rule would be right with max(p, 1 - p); by Luce's axiom, p for a pair does
    # not depend on the other images.
    names = np.array([name for name, _ in implied])
    best = np.zeros(len(implied))
    for one in judgments.observers:
        rows = names == one.name
        near, far = distances(attributes.weighted(one.attention), rows)
        advantage = one.log_similarity(near) - one.log_similarity(far)
        p = (1 - one.lapse) / (1 + np.exp(-advantage)) + one.lapse / 2
        best[rows] = np.maximum(p, 1 - p)
    known = accuracy(attributes.weighted(ATTENTION))
    assert len(implied) == 13 * 2520 + 2160
    assert known > 0.7
    assert best.mean() - 0.05 < known < best.mean()
    assert known > accuracy(population.traits) + 0.01


def test_the_csv_says_what_was_shown_and_chosen(
    population: Population, judgments: SimulatedJudgments, tmp_path: Path
) -> None:
    path = tmp_path / "judgments.csv"
    write_judgments(path, judgments, population.image_id)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(judgments)
    for row, query, references, selected in zip(
        rows, judgments.query, judgments.references, judgments.selected, strict=True
    ):
        shown = [population.image_id[index] for index in references[references >= 0]]
        assert row["query"] == population.image_id[query]
        assert [row[f"reference_{place}"] for place in range(1, 9) if row[f"reference_{place}"]] == shown
        chosen = [row[f"selected_{rank}"] for rank in (1, 2) if row[f"selected_{rank}"]]
        assert chosen == [shown[position] for position in selected[selected >= 0]]
    assert {row["participant"][: len(PREFIX)] for row in rows} == {PREFIX}


def test_a_design_of_ones_own_decides_how_many_trials_there_are(population: Population) -> None:
    design = Design(sessions=1, rank_trials=3, choose_trials=2)
    assert len(simulate_judgments(population, 4, 0, design)) == 4 * 5
