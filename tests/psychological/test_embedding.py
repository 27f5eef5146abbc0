"""Predictions of a fitted embedding, and the choices that it makes."""

from __future__ import annotations

import numpy as np

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.parameters import Parameters
from simtool.psychological.sample import Sample
from simtool.scoring.scoring import score_vectors
from tests.psychological.planted import GROUPS, planted, points_of, trials_of

PAIR = parse_type("2-choose-1")
COUNTS = {"5-rank-2": 30, "2-choose-1": 20, "3-odd-1": 20}


def embedding_of(points: np.ndarray, weights: np.ndarray | None = None) -> PsychologicalEmbedding:
    weights = np.ones((1, points.shape[1])) if weights is None else weights
    return PsychologicalEmbedding(Parameters(points, np.log([2.0, 1.0, 3.0, 1e-3]), np.log(weights)), 1.0, 1.0)


def test_credit_is_that_of_scoring_its_vectors_by_euclidean_distance() -> None:
    points, sample = points_of(12, 3), Sample.of(trials_of(12, COUNTS))
    (scored,) = score_vectors(points, sample.trials, ["euclidean"])
    np.testing.assert_array_equal(embedding_of(points).judged(sample)[0], scored.credit)


def test_a_comparison_has_the_probability_of_a_trial_that_shows_these_two_references() -> None:
    embedding, sample = embedding_of(points_of(12, 3)), Sample.of(trials_of(12, COUNTS))
    _, probability = embedding.judged(sample)
    pairs = np.repeat(sample.trials.type_index, sample.trials.implied) == sample.trials.types.index(PAIR)
    choices = sample.trials.type_index == sample.trials.types.index(PAIR)
    np.testing.assert_allclose(np.log(probability[pairs]), embedding.log_probability(sample)[choices], rtol=1e-5)
    assert ((probability > 0.5) == (embedding.judged(sample)[0] == 1)).all()


def test_images_at_one_place_are_tied() -> None:
    sample = Sample.of(trials_of(12, COUNTS))
    for values in embedding_of(np.zeros((12, 3))).judged(sample):
        assert (values == 0.5).all()


def test_each_group_judges_by_its_own_weights() -> None:
    points, sample = points_of(12, 2), planted(points_of(12, 2), COUNTS, groups=GROUPS)
    credit, _ = embedding_of(points, GROUPS).judged(sample)
    group = sample.group[Comparisons.of(sample.trials).trial]
    for number, weights in enumerate(GROUPS):
        own, _ = embedding_of(points * np.sqrt(weights)).judged(Sample.of(sample.trials))
        np.testing.assert_array_equal(credit[group == number], own[group == number])


def test_points_are_in_the_unit_of_the_first_type() -> None:
    embedding = embedding_of(points_of(12, 3))
    np.testing.assert_allclose(embedding.points, 2 * points_of(12, 3))
    np.testing.assert_allclose(embedding.scales, [1, 0.5, 1.5])
    np.testing.assert_allclose(embedding.floor, 1e-3)


def test_simulated_choices_have_the_probabilities_that_are_stated() -> None:
    """The mean log-probability of own choices is minus the mean entropy, which a second sample of choices repeats."""
    sample, embedding = Sample.of(trials_of(12, dict.fromkeys(COUNTS, 3000))), embedding_of(points_of(12, 3))
    one, two = (embedding.simulated(sample, np.random.default_rng(seed)) for seed in (0, 1))
    values = [embedding.log_probability(each) for each in (one, two)]
    spread = np.std(values[0] - values[1]) / np.sqrt(len(sample))
    assert abs(np.mean(values[0]) - np.mean(values[1])) < 4 * spread
    assert np.mean(values[0]) > np.mean(embedding.log_probability(sample))  # more probable than the first references
    np.testing.assert_array_equal(one.trials.references, sample.trials.references)
    one.trials.validate()
