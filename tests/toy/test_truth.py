"""The true preferences of simulated observers, beside enumerated and simulated choices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simtool.toy.observers import ATTENTION, Observer, simulate_judgments
from simtool.toy.population import draw_population
from simtool.toy.truth import preferences, preferences_of

PEOPLE = [
    Observer("simulated-001", ATTENTION, beta=3.0, gamma=0.01, lapse=0.0),
    Observer("simulated-002", ATTENTION, beta=6.0, gamma=0.05, lapse=0.4),
]
DISTANCES = np.array([[0.2, 0.5, 0.7, 1.1], [1.0, 0.9, 0.1, 0.4]])


@pytest.mark.parametrize("n_select", [1, 2])
def test_preferences_are_those_of_all_ordered_choices(n_select: int) -> None:
    found = preferences_of(PEOPLE, [DISTANCES, DISTANCES], n_select)
    for trial, distance in enumerate(DISTANCES):
        chosen = np.zeros((4, 4))
        for person in PEOPLE:
            similarity = np.exp(person.log_similarity(distance))
            for order in itertools.permutations(range(4), n_select):
                left, luce, random = list(range(4)), 1.0, 1.0
                for one in order:
                    luce *= similarity[one] / similarity[left].sum()
                    random /= len(left)
                    left.remove(one)
                probability = (1 - person.lapse) * luce + person.lapse * random
                for place, one in enumerate(order):
                    for other in set(range(4)) - set(order[: place + 1]):
                        chosen[one, other] += probability
        expected = chosen / (chosen + chosen.T + np.eye(4))
        np.testing.assert_allclose(found[trial][~np.eye(4, dtype=bool)], expected[~np.eye(4, dtype=bool)], rtol=1e-12)


def test_observers_choose_as_often_as_the_truth_says() -> None:
    rng = np.random.default_rng(0)
    selected = np.concatenate([person.choose(rng, np.tile(DISTANCES[:1], (40_000, 1)), 2) for person in PEOPLE])
    first, second = selected.T
    ahead = (first == 0) | ((second == 0) & (first != 2))
    behind = (first == 2) | ((second == 2) & (first != 0))
    share = np.count_nonzero(ahead) / np.count_nonzero(ahead | behind)
    assert share == pytest.approx(preferences_of(PEOPLE, [DISTANCES] * 2, 2)[0, 0, 2], abs=0.006)


def test_padding_has_no_preference() -> None:
    population = draw_population(seed=0, images_per_species=2)
    judgments = simulate_judgments(population, observers=3, seed=0)
    found = preferences(population, judgments)
    pairs = (judgments.references >= 0).sum(axis=1) == 2
    assert np.isfinite(found[pairs]).sum(axis=(1, 2)).tolist() == [2] * np.count_nonzero(pairs)
    assert np.isfinite(found[~pairs]).sum(axis=(1, 2)).tolist() == [56] * np.count_nonzero(~pairs)
    np.testing.assert_allclose((found + found.transpose(0, 2, 1))[np.isfinite(found)], 1)
