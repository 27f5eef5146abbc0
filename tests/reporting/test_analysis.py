"""The numbers of a report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.reporting.analysis import build_report
from simtool.reporting.metrics import Metric, Order
from simtool.reporting.report import Report, ReportError, Row, Settings
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of

FEW = Settings(replicates=100)


def _study(seed: int = 0, **counts: int) -> tuple[Trials, list[Outcomes]]:
    rng = np.random.default_rng(seed)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {name.replace("_", "-"): count for name, count in counts.items()})
    models = [("good", 0.3), ("fair", 1.0), ("random", np.inf)]
    return trials, [outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in models]


def _row(report: Report, model: str, trial_type: str, metric: Metric = Metric.TRIPLET_ACCURACY) -> Row:
    (row,) = (each for each in report.rows if (each.model, each.trial_type, each.metric) == (model, trial_type, metric))
    return row


def _moved(outcomes: Outcomes, trials: Trials, order: NDArray[np.intp]) -> Outcomes:
    scores = {name: getattr(outcomes, name)[order] for name in ("credits", "top_1", "ordered", "unordered")}
    return replace(outcomes, trials=trials, **scores)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), ranked=st.integers(0, 12), pairs=st.integers(1, 30))
def test_an_accuracy_is_the_pooled_credit_and_lies_in_its_interval(seed: int, ranked: int, pairs: int) -> None:
    trials, scored = _study(seed, **{"8_rank_2": ranked, "2_choose_1": pairs})
    report = build_report(scored, FEW)
    for outcomes in scored:
        credits = outcomes.credits
        pooled = _row(report, outcomes.model, "all")
        assert pooled.estimate == pytest.approx(np.nansum(credits) / (13 * ranked + pairs), abs=1e-12)
        assert (pooled.trials, pooled.comparisons) == (ranked + pairs, 13 * ranked + pairs)
        assert pooled.ties == (credits == 0.5).sum()
        for kind in trials.types:
            rows = trials.of_type(kind)
            assert _row(report, outcomes.model, str(kind)).estimate == pytest.approx(np.nanmean(credits[rows]))
            first = _row(report, outcomes.model, str(kind), Metric.TOP_1)
            assert first.estimate == pytest.approx(outcomes.top_1[rows].mean(dtype=float))
    assert all(0 <= row.low <= row.estimate <= row.high <= 1 for row in report.rows)


def test_each_type_has_the_metrics_that_say_something_of_their_own() -> None:
    _, scored = _study(**{"8_rank_2": 5, "2_choose_1": 5, "4_choose_2": 5})
    found = {(row.trial_type, row.metric.value, round(row.chance, 4)) for row in build_report(scored, FEW).rows}
    assert found == {
        ("all", "triplet_accuracy", 0.5),
        ("8-rank-2", "triplet_accuracy", 0.5),
        ("8-rank-2", "top_1", 0.125),
        ("8-rank-2", "ordered", round(1 / 56, 4)),
        ("8-rank-2", "unordered", round(1 / 28, 4)),
        ("4-choose-2", "triplet_accuracy", 0.5),
        ("4-choose-2", "top_1", 0.5),
        ("4-choose-2", "unordered", round(1 / 6, 4)),
        ("2-choose-1", "triplet_accuracy", 0.5),
        ("2-choose-1", "top_1", 0.5),
    }


def test_after_a_single_choice_among_two_first_choice_and_triplet_accuracy_are_one() -> None:
    _, scored = _study(**{"8_rank_2": 10, "2_choose_1": 60})
    report = build_report(scored, FEW)
    for name in ("good", "random"):
        triplet, first = (
            _row(report, name, "2-choose-1", metric) for metric in (Metric.TRIPLET_ACCURACY, Metric.TOP_1)
        )
        assert (first.estimate, first.low, first.high) == pytest.approx((triplet.estimate, triplet.low, triplet.high))


def test_the_order_of_rows_changes_nothing() -> None:
    trials, scored = _study(**{"8_rank_2": 30, "2_choose_1": 30})
    order = np.random.default_rng(1).permutation(len(trials))
    moved = trials.take(order)
    shuffled = build_report([_moved(each, moved, order) for each in scored], FEW)
    for one, other in zip(build_report(scored, FEW).rows, shuffled.rows, strict=True):
        assert (one.model, one.trial_type, one.metric) == (other.model, other.trial_type, other.metric)
        assert (one.estimate, one.low, one.high) == pytest.approx((other.estimate, other.low, other.high), abs=1e-9)


def test_another_model_does_not_change_a_models_interval() -> None:
    _, scored = _study(**{"8_rank_2": 30, "2_choose_1": 30})
    alone, together, reversed_ = (build_report(some, FEW) for some in (scored[1:2], scored, scored[::-1]))
    for row in alone.rows:
        for report in (together, reversed_):
            other = _row(report, row.model, row.trial_type, row.metric)
            assert (row.low, row.high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_a_seed_decides_and_a_level_widens() -> None:
    _, scored = _study(**{"2_choose_1": 80})
    usual, again, other, wide = (
        _row(build_report(scored, each), "fair", "all")
        for each in (FEW, FEW, replace(FEW, seed=1), replace(FEW, level=0.99))
    )
    assert usual == again
    assert (usual.low, usual.high) != (other.low, other.high)
    assert wide.high - wide.low > usual.high - usual.low


def test_perfect_models_and_models_that_always_tie_get_an_interval_with_some_width() -> None:
    _, scored = _study(**{"2_choose_1": 40})
    perfect = replace(scored[0], model="perfect", credits=np.ones_like(scored[0].credits))
    tied = replace(scored[0], model="tied", credits=np.full_like(scored[0].credits, 0.5))
    report = build_report([perfect, tied], FEW)
    best, blind = _row(report, "perfect", "all"), _row(report, "tied", "all")
    assert 0.5 < best.low < best.estimate == best.high == 1
    assert blind.low < 0.5 < blind.high
    assert blind.ties == 40


@pytest.mark.parametrize("counts", [{"2_choose_1": 1}, {"8_rank_2": 1}])
def test_one_trial_says_next_to_nothing(counts: dict[str, int]) -> None:
    _, scored = _study(**counts)
    row = _row(build_report(scored, FEW), "good", "all")
    assert row.high - row.low > 0.5


def test_one_person_leaves_sessions_and_trials_to_resample() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {"2-choose-1": 60}, participants=1, session=[str(at // 20) for at in range(60)])
    report = build_report([outcomes_of("m", "mse", trials, model(rng, minds, 1.0))], FEW)
    assert (report.samples[0].units, report.samples[0].unit_count) == ("sessions", 3)
    row = _row(report, "m", "all")
    assert 0 < row.low < row.estimate < row.high < 1


def test_simulated_observers_are_recognized_by_their_names() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {"2-choose-1": 20}, who="simulated")
    report = build_report([outcomes_of("m", "mse", trials, model(rng, minds, 1.0))], FEW)
    assert report.simulated
    assert "simulated observers" in report.title
    assert not build_report(_study(**{"2_choose_1": 20})[1], FEW).simulated


def test_a_baseline_is_compared_within_its_distance_and_not_with_itself() -> None:
    _, scored = _study(**{"2_choose_1": 200})
    cosine = [replace(each, distance="cosine") for each in scored[:2]]
    report = build_report([*scored, *cosine], replace(FEW, baseline="random"))
    rows = {(row.model, row.distance): row for row in report.rows if row.trial_type == "all"}
    assert rows["random", "mse"].difference is None
    assert rows["good", "cosine"].difference is None
    gain = rows["good", "mse"].difference
    assert gain is not None
    assert gain.estimate == pytest.approx(rows["good", "mse"].estimate - rows["random", "mse"].estimate)
    assert gain.low <= gain.estimate <= gain.high
    assert gain.p_holm == min(1, 2 * gain.p_value)
    assert (gain.p_value < 0.05) == (gain.low > 0)


def test_an_unknown_baseline_is_named_with_the_models_there_are() -> None:
    _, scored = _study(**{"2_choose_1": 5})
    with pytest.raises(ReportError, match="pixels is not among the models: good, fair, random"):
        build_report(scored, replace(FEW, baseline="pixels"))


def test_rows_come_by_accuracy_as_given_or_by_name() -> None:
    _, scored = _study(**{"2_choose_1": 200})
    orders = {
        order: [row.model for row in build_report(scored, replace(FEW, order=order)).rows if row.trial_type == "all"]
        for order in Order
    }
    assert orders[Order.GIVEN] == ["good", "fair", "random"]
    assert orders[Order.NAME] == ["fair", "good", "random"]
    assert orders[Order.ACCURACY] == ["good", "fair", "random"]


def test_all_is_shown_only_beside_several_types() -> None:
    several = build_report(_study(**{"8_rank_2": 5, "2_choose_1": 5})[1], FEW)
    single = build_report(_study(**{"8_rank_2": 5})[1], FEW)
    triplets = [Metric.TRIPLET_ACCURACY]
    assert [block.trial_type for block in several.blocks(triplets)] == ["all", "8-rank-2", "2-choose-1"]
    assert [block.trial_type for block in single.blocks(triplets)] == ["8-rank-2"]
    assert [block.trial_type for block in several.of_type("all").blocks(triplets)] == ["all"]


def test_a_type_that_no_trial_has_is_refused() -> None:
    report = build_report(_study(**{"8_rank_2": 5})[1], FEW)
    with pytest.raises(ReportError, match="no trial is of type 2-choose-1; there are all, 8-rank-2"):
        report.of_type("2-choose-1")


def test_models_on_different_trials_are_analyzed_apart() -> None:
    first, second = _study(0, **{"2_choose_1": 30})[1], _study(1, **{"2_choose_1": 50})[1]
    together = build_report([first[0], replace(second[0], model="elsewhere")], FEW)
    alone = build_report([first[0]], FEW)
    assert _row(together, "good", "all") == _row(alone, "good", "all")
    assert len(together.samples) == 2
    (block,) = together.blocks([Metric.TRIPLET_ACCURACY])
    assert not block.same_trials
    assert block.ceiling is None


def test_a_type_without_trials_has_no_rows() -> None:
    trials, scored = _study(**{"8_rank_2": 5, "2_choose_1": 20})
    rows = trials.of_type(next(kind for kind in trials.types if kind.n_reference == 2))
    part = trials.take(rows)
    report = build_report([_moved(each, part, rows) for each in scored], FEW)
    assert report.trial_types == ("all", "2-choose-1")
    assert {row.trial_type for row in report.rows} == {"all", "2-choose-1"}


def test_metrics_that_are_not_asked_for_are_left_out() -> None:
    _, scored = _study(**{"8_rank_2": 5})
    some = build_report(scored, FEW, [Metric.ORDERED])
    assert {row.metric for row in some.rows} == {Metric.ORDERED}
    every = build_report(scored, FEW)
    assert set(some.rows) <= set(every.rows)
