"""The likelihood of trials under points, its derivatives, and psiz's values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.objective import Objective
from simtool.psychological.parameters import Parameters
from simtool.psychological.sample import Sample
from simtool.tables.trials import Trials
from tests.choice.enumerated import outcomes
from tests.psychological.planted import GROUPS, planted, points_of

COUNTS = {"5-rank-2": 12, "2-choose-1": 9, "4-choose-2": 7, "3-odd-1": 8}


def parameters_of(points: NDArray[np.float64]) -> Parameters:
    return Parameters(points, np.array([0.0, 0.4, -0.3, 0.2, -3.0]), np.log(GROUPS))


def slow_log_probability(sample: Sample, parameters: Parameters, exponent: float, row: int) -> float:
    """The log-probability of one trial: every outcome of it, in plain Python."""
    trials, points = sample.trials, parameters.points
    kind = trials.types[trials.type_index[row]]
    shown = [int(image) for image in trials.references[row, : kind.n_reference]]
    ends = [(int(trials.query[row]), image) for image in shown]
    if not kind.has_query:
        ends = [(one, other) for at, one in enumerate(shown) for other in shown[at + 1 :]]
    weights = parameters.weights[sample.group[row]]
    scale = math.exp(parameters.kernel[trials.type_index[row]])
    similarity = []
    for one, other in ends:
        distance = math.sqrt(sum(weights * (points[one] - points[other]) ** 2))
        similarity.append(math.exp(-scale * distance**exponent) + math.exp(parameters.kernel[-1]))
    chosen = tuple(int(place) for place in trials.selected[row, : kind.n_select])
    found = outcomes(kind, np.array(similarity))
    return math.log(found[tuple(sorted(chosen)) if kind.word == "choose" else chosen])


@pytest.mark.parametrize("exponent", [1.0, 1.7])
def test_the_likelihood_is_that_of_the_listed_outcomes(exponent: float) -> None:
    sample = planted(points_of(9, 2), COUNTS, groups=GROUPS)
    parameters = parameters_of(points_of(9, 2, seed=4))
    embedding = PsychologicalEmbedding(parameters, exponent, 0.0)
    expected = [slow_log_probability(sample, parameters, exponent, row) for row in range(len(sample))]
    np.testing.assert_allclose(embedding.log_probability(sample), expected, rtol=1e-10)


@pytest.mark.parametrize("exponent", [1.0, 1.7])
def test_the_value_adds_the_penalties_of_points_and_weights(exponent: float) -> None:
    sample, parameters = planted(points_of(9, 2), COUNTS, groups=GROUPS), parameters_of(points_of(9, 2, seed=4))
    loss, penalised = (Objective(sample.displays(), exponent, penalty)(parameters)[0] for penalty in (0.0, 3.0))
    log_likelihood = PsychologicalEmbedding(parameters, exponent, 0.0).log_probability(sample).sum()
    prior = 2.0 * np.square(np.log(GROUPS)).sum()
    np.testing.assert_allclose(loss * len(sample), prior - log_likelihood)
    np.testing.assert_allclose((penalised - loss) * len(sample), 1.5 * np.square(parameters.points).sum())


@pytest.mark.parametrize("exponent", [1.0, 1.7])
def test_derivatives_equal_central_differences(exponent: float) -> None:
    sample, parameters = planted(points_of(9, 2), COUNTS, groups=GROUPS), parameters_of(points_of(9, 2, seed=4))
    objective = Objective(sample.displays(), exponent, 3.0)
    vector, step = parameters.flat(), 1e-6
    expected = np.empty_like(vector)
    for place in range(vector.size):
        shift = np.zeros_like(vector)
        shift[place] = step
        up, down = (objective(parameters.unflat(vector + sign * shift))[0] for sign in (1, -1))
        expected[place] = (up - down) / (2 * step)
    np.testing.assert_allclose(objective(parameters)[1].flat(), expected, atol=1e-8)


def test_equal_points_have_finite_derivatives() -> None:
    sample, parameters = planted(points_of(9, 2), COUNTS), Parameters(np.zeros((9, 2)), np.zeros(5), np.zeros((1, 2)))
    value, slopes = Objective(sample.displays(), 1.0)(parameters)
    assert np.isfinite(value)
    assert not slopes.points.any()


#: Log-probabilities by psiz 0.13.1 in float64 (layers Minkowski, ExponentialSimilarity and SoftRank), computed by
#: ``benchmarks/psychological_subjects.py`` for the points, trials and similarity of the test.
BY_PSIZ = {
    "8-rank-2": [-6.583678898, -6.457830094, -5.140722784, -5.120376752],
    "2-choose-1": [-1.525216795, -1.49571421, -3.574521989, -3.555297114],
}


@pytest.mark.parametrize("kind", BY_PSIZ)
def test_the_likelihood_is_that_of_psiz(kind: str) -> None:
    references, selected = (8, 2) if kind == "8-rank-2" else (2, 1)
    shown = np.array([(np.arange(references + 1) * 5 + start) % 12 for start in range(4)])
    chosen = np.tile(np.arange(selected), (4, 1))
    trials = Trials.build([f"image-{number}" for number in range(12)], [kind] * 4, shown[:, 0], shown[:, 1:], chosen)
    points = np.sin(np.arange(36.0)).reshape(12, 3)
    parameters = Parameters(points, np.log([1.3, 0.01]), np.zeros((1, 3)))
    found = PsychologicalEmbedding(parameters, 1.5, 0.0).log_probability(Sample.of(trials))
    np.testing.assert_allclose(found, BY_PSIZ[kind], atol=1e-6)
