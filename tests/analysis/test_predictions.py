"""Likelihood, calibration and entropy of choice models."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.calibration import calibration_curve

from simtool.analysis.prediction import Prediction
from simtool.analysis.predictions import BINS, chance_of, predictions
from simtool.analysis.study import Study
from simtool.designs import parse_type
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of


def _scored(trials: Trials, probability: NDArray[np.float64] | None, nats: NDArray[np.float64]) -> Outcomes:
    chance = None if probability is None else probability.astype(np.float32)
    credit = np.ones(trials.comparisons, np.float32)
    return Outcomes("m", "mse", trials, credit, nats.astype(np.float32), chance)


def _drawn(seed: int, kinds: dict[str, int], weight: NDArray[np.float64] | None = None) -> tuple[Trials, Outcomes]:
    """Trials, and outcomes with any likelihoods and probabilities."""
    rng = np.random.default_rng(seed)
    trials = observe(rng, latent(rng, 15), kinds, weight=weight)
    return trials, _scored(trials, rng.random(trials.comparisons), -rng.exponential(size=len(trials)))


@pytest.mark.parametrize(
    ("name", "selections"), [("8-rank-2", 56), ("8-choose-2", 28), ("2-choose-1", 2), ("3-odd-1", 3), ("5-odd-1", 5)]
)
def test_guessing_gives_every_selection_the_same_probability(name: str, selections: int) -> None:
    assert chance_of(parse_type(name)) == pytest.approx(math.log(selections))


def test_the_loss_is_the_mean_negative_log_likelihood_of_each_type() -> None:
    trials, scored = _drawn(0, {"8-rank-2": 40, "2-choose-1": 90})
    found = {each.trial_type: each for each in predictions(Study(trials), [scored], 0.95)}
    assert list(found) == ["8-rank-2", "2-choose-1"]
    assert scored.log_likelihood is not None
    for name, rows in (("8-rank-2", slice(0, 40)), ("2-choose-1", slice(40, None))):
        each = found[name]
        assert each.loss == pytest.approx(-scored.log_likelihood[rows].mean(), rel=1e-6)
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.loss < each.high
    assert (found["8-rank-2"].trials, found["8-rank-2"].comparisons) == (40, 520)
    assert found["8-rank-2"].chance == pytest.approx(math.log(56))


def test_calibration_is_that_of_scikit_learn() -> None:
    trials, scored = _drawn(1, {"2-choose-1": 3000})
    (found,) = predictions(Study(trials), [scored], 0.95)
    assert scored.probability is not None
    assert found.calibration is not None
    right, confidence = scored.probability > 0.5, np.maximum(scored.probability, 1 - scored.probability)
    observed, predicted = calibration_curve(right, confidence, n_bins=2 * BINS)
    assert [each.observed for each in found.calibration.bins] == pytest.approx(observed)
    assert [each.predicted for each in found.calibration.bins] == pytest.approx(predicted, rel=1e-6)
    counts = np.histogram(confidence, np.linspace(0.5, 1, BINS + 1))[0]
    assert [each.comparisons for each in found.calibration.bins] == counts.tolist()
    error = np.average(abs(observed - predicted), weights=counts)
    assert found.calibration.error == pytest.approx(error, rel=1e-5)


def test_both_images_with_the_same_probability_are_half_right() -> None:
    trials, scored = _drawn(2, {"2-choose-1": 100})
    (found,) = predictions(Study(trials), [replace(scored, probability=np.full(100, 0.5, np.float32))], 0.95)
    assert found.calibration is not None
    assert found.calibration.error == 0
    (only,) = found.calibration.bins
    assert (only.comparisons, only.predicted, only.observed, only.low) == (100, 0.5, 0.5, None)


def test_weights_count_as_repetitions_do() -> None:
    times = np.random.default_rng(3).integers(0, 4, 200).astype(float)
    trials, scored = _drawn(4, {"2-choose-1": 200}, weight=times)
    (found,) = predictions(Study(trials, weighted=True), [scored], 0.95)
    repeated = scored.take(np.repeat(np.arange(200), times.astype(int)))
    (expected,) = predictions(Study(repeated.trials), [repeated], 0.95)
    assert found.calibration is not None
    assert expected.calibration is not None
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert found.calibration.error == pytest.approx(expected.calibration.error, rel=1e-5)


def _true_model(seed: int, trials: int = 1500) -> Prediction:
    """Trials of people who choose by the probabilities of the model."""
    rng = np.random.default_rng(seed)
    shown = np.argsort(rng.random((trials, 25)), axis=1)[:, :3]
    position = np.random.default_rng(0).normal(size=25)
    p = expit(
        3 * (abs(position[shown[:, 0]] - position[shown[:, 2]]) - abs(position[shown[:, 0]] - position[shown[:, 1]]))
    )
    second = rng.random(trials) > p
    made = Trials.build(
        [str(number) for number in range(25)],
        ["2-choose-1"] * trials,
        shown[:, 0],
        shown[:, 1:],
        second[:, None].astype(int),
        participant=[f"person {number}" for number in rng.integers(0, 20, trials)],
    )
    chosen = np.where(second, 1 - p, p)
    (found,) = predictions(Study(made), [_scored(made, chosen, np.log(chosen))], 0.95, enough=2)
    return found


def test_the_true_model_is_calibrated_and_as_uncertain_as_people() -> None:
    found = _true_model(5, 20_000)
    assert found.calibration is not None
    assert found.entropy is not None
    assert found.calibration.error < 0.012
    held = [
        own.low is not None and own.high is not None and own.low <= own.predicted <= own.high
        for own in found.calibration.bins
    ]
    assert sum(held) >= len(held) - 1
    assert found.loss == pytest.approx(found.entropy.model, abs=0.01)  # the entropy is the expected loss
    assert found.entropy.people == pytest.approx(found.entropy.model, abs=0.03)
    assert found.entropy.people_disagreement == pytest.approx(found.entropy.model_disagreement, abs=0.02)
    assert found.entropy.lowest < found.entropy.model < found.entropy.highest


def test_the_interval_of_the_loss_holds_the_truth() -> None:
    found = [_true_model(seed, 600) for seed in range(100)]
    truth = np.mean([each.loss for each in found])
    held = sum(each.low is not None and each.high is not None and each.low <= truth <= each.high for each in found)
    assert held >= 90


def test_a_model_that_is_too_certain_has_a_calibration_error() -> None:
    trials, scored = _drawn(6, {"2-choose-1": 2000})
    chosen = np.where(np.random.default_rng(7).random(2000) < 0.7, 0.95, 0.05)
    (found,) = predictions(Study(trials), [replace(scored, probability=chosen.astype(np.float32))], 0.95)
    assert found.calibration is not None
    assert found.calibration.error == pytest.approx(0.25, abs=0.04)
    assert found.calibration.low is not None
    assert found.calibration.low > 0.15


def test_outcomes_without_likelihoods_have_no_predictions_and_without_probabilities_no_calibration() -> None:
    trials, scored = _drawn(8, {"2-choose-1": 50})
    plain = outcomes_of(
        "plain", "mse", trials, model(np.random.default_rng(0), latent(np.random.default_rng(0), 15), 1)
    )
    assert not list(predictions(Study(trials), [plain], 0.95))
    (found,) = predictions(Study(trials), [plain, replace(scored, probability=None)], 0.95, enough=2)
    assert (found.model, found.calibration, found.entropy) == ("m", None, None)
