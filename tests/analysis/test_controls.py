"""The gain by training: models minus the mean of their untrained controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simtool.analysis.building import build_report
from simtool.analysis.controls import Family, TrainingGain, families, training_gains
from simtool.analysis.inference.intervals import Difference, Estimates
from simtool.analysis.inference.multiway import Covariance
from simtool.analysis.labels import CLASS, GROUP, SILENT, label_strata
from simtool.analysis.metrics import TRIPLET_ACCURACY, Metric, Order
from simtool.analysis.report import Report, Row, Settings
from simtool.analysis.study import Study
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.analysis.test_labels import IMAGES, labelled
from tests.scored import latent, model, observe, outcomes_of

FLOW = Lineage("flow", "activations/level-1", "crop")
SETTINGS = Settings(replicates=100)
RNG = np.random.default_rng(11)
MINDS = latent(RNG, IMAGES)
TRIALS = observe(RNG, MINDS, {"8-rank-2": 30, "2-choose-1": 150})


def _scored(
    name: str, noise: float, lineage: Lineage | None, trials: Trials = TRIALS, distance: str = "mse"
) -> Outcomes:
    rng = np.random.default_rng(sum(map(ord, name)))
    return replace(outcomes_of(name, distance, trials, model(rng, MINDS, noise)), lineage=lineage)


def _control(name: str, seed: int, noise: float = 2.0, lineage: Lineage = FLOW) -> Outcomes:
    return _scored(name, noise, replace(lineage, untrained=seed))


FLOWS = [_scored(f"flow {seed}", 0.3, FLOW) for seed in range(2)]
CONTROLS = [_control(f"untrained {seed}", seed) for seed in range(3)]
PIXELS = _scored("pixels", 3.0, None)


def _rows(report: Report, stratum: str = "all", metric: Metric = TRIPLET_ACCURACY) -> dict[str, Row]:
    return {row.model: row for row in report.rows if row.trial_type == stratum and row.metric is metric}


def _gains(report: Report, stratum: str = "all", metric: Metric = TRIPLET_ACCURACY) -> list[TrainingGain]:
    return [gain for row in _rows(report, stratum, metric).values() for gain in row.gains]


@pytest.mark.parametrize(
    "other",
    [
        replace(FLOW, origin="another"),
        replace(FLOW, layer=None),
        replace(FLOW, preprocessing="another"),
        None,
    ],
)
def test_a_control_shares_origin_layer_and_preprocessing(other: Lineage | None) -> None:
    assert families([FLOWS[0], CONTROLS[0]]) == [Family((0,), (1,))]
    assert families([replace(FLOWS[0], lineage=other), CONTROLS[0]]) == []


def test_a_control_has_the_distance_of_its_model() -> None:
    by_angle = [replace(each, distance="cosine") for each in (FLOWS[0], *CONTROLS)]
    assert families([FLOWS[0], by_angle[0], by_angle[1], CONTROLS[1]]) == [Family((0,), (3,)), Family((1,), (2,))]


def test_models_without_controls_and_controls_without_a_model_are_no_family() -> None:
    assert families(FLOWS) == families(CONTROLS) == families([PIXELS]) == []


def test_several_trained_models_share_their_controls_and_are_also_compared_together() -> None:
    (found,) = families([PIXELS, *FLOWS, *CONTROLS])
    assert found == Family((1, 2), (3, 4, 5))
    assert found.compared == ((1,), (2,), (1, 2))
    assert Family((4,), (5,)).compared == ((4,),)


def test_training_that_adds_a_known_amount_is_found() -> None:
    """Of 1,000 trials of one comparison, the controls are right in 500, and the model in 700."""
    trials = observe(np.random.default_rng(0), MINDS, {"2-choose-1": 1000}, participants=40)
    order = np.random.default_rng(1).permutation(1000)

    def right(name: str, count: int, start: int, lineage: Lineage) -> Outcomes:
        credit = np.zeros(1000, np.float32)
        credit[np.roll(order, start)[:count]] = 1
        return Outcomes(name, "mse", trials, credit, lineage=lineage)

    trained = right("trained", 700, 0, FLOW)
    controls = [right(f"untrained {seed}", 500, 300 * seed, replace(FLOW, untrained=seed)) for seed in range(3)]
    (gain,) = _gains(build_report([trained, *controls], SETTINGS), "2-choose-1")
    assert (gain.trained, gain.untrained) == ((0.7,), (0.5, 0.5, 0.5))
    assert (gain.models, gain.controls, gain.seeds) == (
        ("trained",),
        ("untrained 0", "untrained 1", "untrained 2"),
        (0, 1, 2),
    )
    found = gain.difference
    assert found.estimate == pytest.approx(0.2, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.2 < found.high < 0.3


def test_a_gain_equals_the_accuracy_of_the_mean_difference_of_credit() -> None:
    """The standard error is that of the mean of a single column: the credit of a model minus the mean of controls."""
    report = build_report([*FLOWS[:1], *CONTROLS], SETTINGS)
    mean = np.mean([each.credit.astype(np.float64) for each in CONTROLS], axis=0)
    halves = Outcomes("half", "mse", TRIALS, ((1 + FLOWS[0].credit - mean) / 2).astype(np.float32))
    for stratum in ("all", "8-rank-2", "2-choose-1"):
        (gain,) = _gains(report, stratum)
        row = _rows(build_report([halves], SETTINGS), stratum)["half"]
        assert gain.difference.estimate == pytest.approx(2 * row.estimate - 1, abs=1e-6)
        assert gain.difference.p_value == pytest.approx(row.p_chance, rel=1e-4)


def test_the_mean_of_several_models_is_compared_with_the_mean_of_their_controls() -> None:
    gains = _gains(build_report([*FLOWS, *CONTROLS], SETTINGS))
    assert [len(gain.models) for gain in gains] in (
        [1, 1, 2],
        [1, 2, 1],
    )  # the mean is at the last model that was given
    mean = next(gain for gain in gains if len(gain.models) == 2)
    singles = [gain.difference.estimate for gain in gains if len(gain.models) == 1]
    assert mean.difference.estimate == pytest.approx(np.mean(singles), abs=1e-12)
    assert mean.untrained == gains[0].untrained


def test_the_error_of_a_gain_has_a_closed_form() -> None:
    """Var(a - (b + c) / 2) = Var(a) + Var(b) / 4 + Var(c) / 4 - Cov(a, b) - Cov(a, c) + Cov(b, c) / 2."""
    matrix = np.array([[4.0, 1.0, 0.5], [1.0, 9.0, 2.0], [0.5, 2.0, 1.0]]) * 1e-4
    estimates = Estimates(np.array([0.7, 0.6, 0.55]), Covariance(matrix, 0 * matrix, 0 * matrix), np.ones((3, 2)), 20)
    outcomes = [FLOWS[0], *CONTROLS[:2]]
    ((gain,),) = training_gains(estimates, outcomes, [Family((0,), (1, 2))], np.arange(3), 0.9).values()
    error = np.sqrt((4 + 9 / 4 + 1 / 4 - 1 - 0.5 + 2 / 2) * 1e-4)
    half = stats.t.ppf(0.95, 19) * error
    found = gain.difference
    assert found.estimate == pytest.approx(0.7 - 0.575)
    assert found.standard_error == pytest.approx(error)
    assert found.low == pytest.approx(0.125 - half)
    assert found.high == pytest.approx(0.125 + half)
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.125 / error, 19))
    assert found.p_holm == found.p_value
    assert gain.control == pytest.approx(0.575)


def test_a_single_control_gives_the_difference_from_a_baseline() -> None:
    report = build_report([FLOWS[0], CONTROLS[0]], replace(SETTINGS, baseline="untrained 0"))
    for stratum in report.trial_types:
        row = _rows(report, stratum)["flow 0"]
        assert row.difference is not None
        ((gain,), found) = row.gains, row.difference
        for name in ("estimate", "standard_error", "low", "high", "p_value", "p_holm"):
            assert getattr(gain.difference, name) == pytest.approx(getattr(found, name), rel=1e-9), name


def test_models_that_equal_their_controls_gain_nothing_and_are_not_tested() -> None:
    twins = [replace(FLOWS[0], model=f"twin {seed}", lineage=replace(FLOW, untrained=seed)) for seed in range(3)]
    (gain,) = _gains(build_report([FLOWS[0], *twins], SETTINGS))
    assert gain.is_identical
    assert gain.difference == Difference(0.0)
    assert gain.tested == 0


def test_the_gains_of_a_metric_in_a_stratum_are_adjusted_by_holm() -> None:
    other = replace(FLOW, origin="other")
    close = [_scored("close", 1.9, other), _control("control of close", 0, 2.0, other)]
    for stratum in ("all", "8-rank-2", "2-choose-1"):
        gains = _gains(build_report([*FLOWS, *CONTROLS, *close, PIXELS], SETTINGS), stratum)
        assert {gain.tested for gain in gains} == {4}
        found = sorted(
            (gain.difference.p_value, gain.difference.p_holm)
            for gain in gains
            if gain.difference.p_value is not None and gain.difference.p_holm is not None
        )
        running = 0.0
        for rank, (p_value, p_holm) in enumerate(found):
            running = max(running, min(1.0, (4 - rank) * p_value))
            assert p_holm == running


def test_gains_exist_in_every_metric_and_in_the_parts_of_a_stratum() -> None:
    trials = labelled(TRIALS)
    models = [replace(each, trials=trials) for each in (FLOWS[0], *CONTROLS)]
    report = build_report(models, SETTINGS)
    assert {row.metric.name for row in report.rows if row.gains} == {
        "triplet_accuracy",
        "top_1",
        "ordered",
        "unordered",
    }
    parts = {row.part.name: row.gains for split in report.splits for row in split.parts if row.gains and row.part}
    assert set(parts) == {CLASS, GROUP, SILENT}
    told = Study(trials).labels
    assert told is not None
    silent = {stratum.name: stratum.mask for stratum in label_strata(told)}[SILENT]
    means = [float(each.credit[silent].mean(dtype=np.float64)) for each in models]
    (gain,) = parts[SILENT]
    assert gain.difference.estimate == pytest.approx(means[0] - np.mean(means[1:]), abs=1e-12)


def test_controls_on_other_trials_are_not_compared() -> None:
    trials = observe(np.random.default_rng(9), MINDS, {"2-choose-1": 40})
    away = _scored("untrained", 2.0, replace(FLOW, untrained=0), trials)
    assert not any(row.gains for row in build_report([FLOWS[0], away], SETTINGS).rows)


def test_pooling_keeps_what_a_model_is() -> None:
    """A table of an older version states nothing; the name tells that it is the same model."""
    trials = observe(np.random.default_rng(9), MINDS, {"2-choose-1": 40}, who="another")
    more = [_scored(each.model, 1.0, each.lineage, trials) for each in (FLOWS[0], CONTROLS[0])]
    more[0] = replace(more[0], lineage=None)
    (gain,) = _gains(build_report([FLOWS[0], CONTROLS[0], *more], SETTINGS))
    assert gain.controls == ("untrained 0",)


@pytest.mark.parametrize("order", Order)
def test_controls_stand_under_their_models_in_every_order(order: Order) -> None:
    controls = [replace(each, model=f"a control {at}") for at, each in enumerate(CONTROLS)]
    report = build_report([*controls, PIXELS, *FLOWS], replace(SETTINGS, order=order))
    names = list(_rows(report))
    flows = names.index("flow 0"), names.index("flow 1")
    assert sorted(names[min(flows) : min(flows) + 5][:2]) == ["flow 0", "flow 1"]
    assert set(names[min(flows) + 2 : min(flows) + 5]) == {each.model for each in controls}
    seeds = {row.model: row.untrained for row in report.rows}
    assert seeds == {
        "pixels": None,
        "flow 0": None,
        "flow 1": None,
        **{each.model: at for at, each in enumerate(controls)},
    }
