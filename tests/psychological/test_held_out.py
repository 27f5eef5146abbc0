"""Out-of-fold predictions know nothing of the trials that they predict; the check compares simulated choices."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.judgments.folds import HoldOut, trial_folds
from simtool.psychological.fitting import Settings, fitted
from simtool.psychological.held_out import HeldOut, held_out
from simtool.psychological.sample import Sample
from tests.psychological.planted import planted, points_of

SETTINGS = Settings(restarts=1)


def sample_of(seed: int = 1) -> Sample:
    return planted(points_of(16, 2), {"8-rank-2": 300, "2-choose-1": 200}, seed=seed)


def predicted(sample: Sample, unit: HoldOut = HoldOut.TRIAL) -> HeldOut:
    return held_out(sample, trial_folds(sample.trials, unit, 2), 2, SETTINGS)


@pytest.fixture(scope="module")
def found() -> HeldOut:
    return predicted(sample_of())


def test_each_trial_is_predicted_by_a_fit_to_the_other_folds(found: HeldOut) -> None:
    sample = sample_of()
    for fold in trial_folds(sample.trials, HoldOut.TRIAL, 2):
        embedding = fitted(sample.take(fold.train), 2, SETTINGS)
        test = sample.take(fold.test)
        np.testing.assert_allclose(found.log_probability[fold.test], embedding.log_probability(test))
        implied = np.repeat(fold.test, sample.trials.implied)
        credit, probability = embedding.judged(test)
        np.testing.assert_array_equal(found.credit[implied], credit)
        np.testing.assert_array_equal(found.probability[implied], probability)


def test_choices_without_structure_cannot_be_predicted() -> None:
    sample = sample_of()
    rng = np.random.default_rng(0)
    selected = sample.trials.selected.copy()
    for row, kind in enumerate(sample.trials.types[index] for index in sample.trials.type_index):
        selected[row, : kind.n_select] = rng.permutation(kind.n_reference)[: kind.n_select]
    shuffled = predicted(sample.selecting(selected))
    assert shuffled.credit.mean() == pytest.approx(0.5, abs=0.05)


def test_the_embedding_that_made_the_choices_predicts_people_as_it_predicts_itself(found: HeldOut) -> None:
    for check in found.checks:
        assert check.accuracy == pytest.approx(check.own, abs=0.06)
        assert check.again <= check.own + 0.02  # a fit loses accuracy
        assert check.noise_ceiling == pytest.approx(check.accuracy + check.own - check.again)


def test_the_noise_ceiling_is_near_the_accuracy_of_the_true_points() -> None:
    """The true points are the best model, so their accuracy is what a noise ceiling estimates."""
    sample, points = sample_of(), points_of(16, 2)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    checks = {check.trial_type: check for check in predicted(sample).checks}
    for kind in sample.trials.types:
        rows = sample.trials.of_type(kind)
        trials = sample.trials.take(rows)
        _, near, far = kind.compare(
            trials.query, trials.references[:, : kind.n_reference], trials.selected[:, : kind.n_select]
        )
        true = np.mean(distance[trials.query[:, None], near] < distance[trials.query[:, None], far])
        check = checks[str(kind)]
        assert check.trials == len(rows)
        assert abs(check.noise_ceiling - true) < abs(check.accuracy - true) + 0.03


def test_sessions_are_held_out_whole() -> None:
    sample = sample_of()
    found = predicted(sample, HoldOut.SESSION)
    fold = trial_folds(sample.trials, HoldOut.SESSION, 2)[0]
    embedding = fitted(sample.take(fold.train), 2, SETTINGS)
    np.testing.assert_allclose(found.log_probability[fold.test], embedding.log_probability(sample.take(fold.test)))


def test_the_result_does_not_depend_on_the_number_of_cores(found: HeldOut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simtool.system.threads.available_cores", lambda: 1)
    alone = predicted(sample_of())
    np.testing.assert_array_equal(alone.credit, found.credit)
    assert alone.checks == found.checks
