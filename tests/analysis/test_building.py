"""The numbers of a report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from simtool.analysis.building import build_report
from simtool.analysis.metrics import METRICS, TRIPLET_ACCURACY, Metric, Order
from simtool.analysis.report import Report, ReportError, Row, Settings
from simtool.reporting import formatting
from simtool.tables.labels import Labels
from simtool.tables.observers import Observers
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


def _row(report: Report, model: str, trial_type: str, metric: Metric = TRIPLET_ACCURACY) -> Row:
    (row,) = (each for each in report.rows if (each.model, each.trial_type, each.metric) == (model, trial_type, metric))
    return row


def _moved(outcomes: Outcomes, trials: Trials, order: NDArray[np.intp]) -> Outcomes:
    return replace(outcomes.take(order), trials=trials)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), ranked=st.integers(0, 12), pairs=st.integers(1, 30))
def test_an_accuracy_is_the_pooled_credit_and_lies_in_its_interval(seed: int, ranked: int, pairs: int) -> None:
    trials, scored = _study(seed, **{"8_rank_2": ranked, "2_choose_1": pairs})
    report = build_report(scored, FEW)
    for outcomes in scored:
        credit = outcomes.credit
        pooled = _row(report, outcomes.model, "all")
        assert pooled.estimate == pytest.approx(credit.sum(dtype=float) / (13 * ranked + pairs), abs=1e-12)
        assert (pooled.trials, pooled.comparisons) == (ranked + pairs, 13 * ranked + pairs)
        assert pooled.ties == (credit == 0.5).sum()
        for kind in trials.types:
            own = outcomes.of_type(kind)
            assert _row(report, outcomes.model, str(kind)).estimate == pytest.approx(own.mean())
            first = _row(report, outcomes.model, str(kind), METRICS["top_1"])
            right = (own[:, : kind.n_reference - 1] == 1).all(axis=1)
            assert first.estimate == pytest.approx(right.mean())
    assert all(0 <= row.low <= row.estimate <= row.high <= 1 for row in report.rows)


def test_each_type_has_the_metrics_that_add_something_to_the_others() -> None:
    _, scored = _study(**{"8_rank_2": 5, "2_choose_1": 5, "4_choose_2": 5})
    found = {(row.trial_type, row.metric.name, round(row.chance, 4)) for row in build_report(scored, FEW).rows}
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


def test_with_one_choice_of_two_references_first_choice_equals_triplet_accuracy() -> None:
    _, scored = _study(**{"8_rank_2": 10, "2_choose_1": 60})
    report = build_report(scored, FEW)
    for name in ("good", "random"):
        triplet, first = (_row(report, name, "2-choose-1", metric) for metric in (TRIPLET_ACCURACY, METRICS["top_1"]))
        assert replace(first, metric=triplet.metric) == triplet


def test_first_choices_that_equal_triplet_accuracy_are_not_computed_twice() -> None:
    totals = []

    def progress(total: int) -> AbstractContextManager[Callable[[int], object]]:
        totals.append(total)
        return nullcontext(lambda _done: None)

    trials, scored = _study(**{"2_choose_1": 60})
    for metrics in ([TRIPLET_ACCURACY], [TRIPLET_ACCURACY, METRICS["top_1"]]):
        build_report(scored, FEW, metrics, progress)
    assert totals == [2 * len(trials)] * 2


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


def test_a_perfect_model_has_an_interval_with_some_width_and_one_that_always_ties_has_none() -> None:
    _, scored = _study(**{"2_choose_1": 40})
    perfect = replace(scored[0], model="perfect", credit=np.ones_like(scored[0].credit))
    tied = replace(scored[0], model="tied", credit=np.full_like(scored[0].credit, 0.5))
    report = build_report([perfect, tied], FEW)
    best, blind = _row(report, "perfect", "all"), _row(report, "tied", "all")
    assert 0.5 < best.low < best.estimate == best.high == 1
    assert blind.low == blind.estimate == blind.high == 0.5
    assert blind.ties == 40


@pytest.mark.parametrize("counts", [{"2_choose_1": 1}, {"8_rank_2": 1}])
def test_one_trial_has_a_very_wide_interval(counts: dict[str, int]) -> None:
    _, scored = _study(**counts)
    row = _row(build_report(scored, FEW), "good", "all")
    assert row.high - row.low > 0.5


def test_with_one_participant_sessions_are_resampled() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {"2-choose-1": 60}, participants=1, session=[str(at // 20) for at in range(60)])
    report = build_report([outcomes_of("m", "mse", trials, model(rng, minds, 1.0))], FEW)
    assert (report.samples[0].clusters, report.samples[0].cluster_count) == ("sessions", 3)
    row = _row(report, "m", "all")
    assert 0 < row.low < row.estimate < row.high < 1


@pytest.mark.parametrize(
    ("stated", "claimed"),
    [
        ([None], None),
        ([Observers.HUMAN], Observers.HUMAN),
        ([Observers.HUMAN, None], None),
        ([Observers.HUMAN, Observers.SIMULATED], Observers.SIMULATED),
        ([None, Observers.SIMULATED], Observers.SIMULATED),
    ],
)
def test_observers_are_stated_only_if_all_tables_state_them(
    stated: list[Observers | None], claimed: Observers | None
) -> None:
    scored = [_judged(seed, observers=each, who="simulated")[0] for seed, each in enumerate(stated)]
    report = build_report(scored, FEW)
    assert report.observers is claimed
    assert report.title == "Prediction of similarity judgments" + (f" ({claimed} observers)" if claimed else "")
    assert any("simulated" in note for note in formatting.notes(report)) == (claimed is Observers.SIMULATED)


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
    assert gain.low is not None
    assert gain.high is not None
    assert gain.p_value is not None
    assert gain.low <= gain.estimate <= gain.high
    assert gain.p_holm == min(1, 2 * gain.p_value)
    assert (gain.p_value < 0.05) == (gain.low > 0)


def test_an_unknown_baseline_is_an_error_that_lists_the_models() -> None:
    _, scored = _study(**{"2_choose_1": 5})
    with pytest.raises(ReportError, match="pixels is not among the models: good, fair, random"):
        build_report(scored, replace(FEW, baseline="pixels"))


def test_rows_are_sorted_by_accuracy_as_given_or_by_name() -> None:
    _, scored = _study(**{"2_choose_1": 200})
    orders = {
        order: [row.model for row in build_report(scored, replace(FEW, order=order)).rows if row.trial_type == "all"]
        for order in Order
    }
    assert orders[Order.GIVEN] == ["good", "fair", "random"]
    assert orders[Order.NAME] == ["fair", "good", "random"]
    assert orders[Order.ACCURACY] == ["good", "fair", "random"]


def test_families_are_together_and_the_one_with_the_best_row_is_first() -> None:
    _, (good, fair, random) = _study(**{"2_choose_1": 200})
    scored = [
        replace(fair, model="lone"),
        replace(random, model="net b"),
        replace(good, model="net a"),
        replace(random, model="lone", distance="other"),
    ]
    rows = build_report(scored, replace(FEW, order=Order.FAMILY)).rows
    assert [(row.model, row.distance, row.family) for row in rows if row.trial_type == "all"] == [
        ("net a", good.distance, "net"),
        ("net b", good.distance, "net"),
        ("lone", good.distance, "lone"),
        ("lone", "other", "lone"),
    ]


def test_all_is_shown_only_with_several_types() -> None:
    several = build_report(_study(**{"8_rank_2": 5, "2_choose_1": 5})[1], FEW)
    single = build_report(_study(**{"8_rank_2": 5})[1], FEW)
    triplets = [TRIPLET_ACCURACY]
    assert [block.trial_type for block in several.blocks(triplets)] == ["all", "8-rank-2", "2-choose-1"]
    assert [block.trial_type for block in single.blocks(triplets)] == ["8-rank-2"]
    assert [block.trial_type for block in several.of_type("all").blocks(triplets)] == ["all"]


def test_a_metric_that_repeats_triplet_accuracy_is_shown_alone_only() -> None:
    _, scored = _study(**{"8_rank_2": 5, "2_choose_1": 20})
    report = build_report(scored, FEW)
    assert ("2-choose-1", METRICS["top_1"]) in {(row.trial_type, row.metric) for row in report.rows}
    shown = [(block.trial_type, block.metric.name) for block in report.blocks()]
    assert ("8-rank-2", "top_1") in shown
    assert [name for kind, name in shown if kind == "2-choose-1"] == ["triplet_accuracy"]
    assert [block.trial_type for block in report.blocks([METRICS["top_1"]])] == ["8-rank-2", "2-choose-1"]


def test_a_type_that_no_trial_has_is_refused() -> None:
    report = build_report(_study(**{"8_rank_2": 5})[1], FEW)
    with pytest.raises(ReportError, match="no trial is of type 2-choose-1; the types are all, 8-rank-2"):
        report.of_type("2-choose-1")


def test_models_on_different_trials_are_analyzed_separately() -> None:
    first, second = _study(0, **{"2_choose_1": 30})[1], _study(1, **{"2_choose_1": 50})[1]
    together = build_report([first[0], replace(second[0], model="elsewhere")], FEW)
    alone = build_report([first[0]], FEW)
    assert _row(together, "good", "all") == _row(alone, "good", "all")
    assert len(together.samples) == 2
    (block,) = together.blocks([TRIPLET_ACCURACY])
    assert not block.same_trials
    assert block.noise_ceiling is None


def test_a_type_without_trials_has_no_rows() -> None:
    trials, scored = _study(**{"8_rank_2": 5, "2_choose_1": 20})
    rows = trials.of_type(next(kind for kind in trials.types if kind.n_reference == 2))
    part = trials.take(rows)
    report = build_report([_moved(each, part, rows) for each in scored], FEW)
    assert report.trial_types == ("all", "2-choose-1")
    assert {row.trial_type for row in report.rows} == {"all", "2-choose-1"}


def test_metrics_that_are_not_requested_are_left_out() -> None:
    _, scored = _study(**{"8_rank_2": 5})
    some = build_report(scored, FEW, [METRICS["ordered"]])
    assert {row.metric for row in some.rows} == {METRICS["ordered"]}
    every = build_report(scored, FEW)
    assert set(some.rows) <= set(every.rows)


def _judged(seed: int = 0, **columns: Any) -> list[Outcomes]:
    """Two models on 120 trials of six participants, or of the participants in ``columns``."""
    rng = np.random.default_rng(seed)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {"8-rank-2": 20, "2-choose-1": 100}, participants=6, **columns)
    return [outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in (("good", 0.3), ("fair", 1))]


def test_trials_without_a_name_count_in_accuracies_and_not_in_intervals() -> None:
    everybody = _judged()
    names = everybody[0].trials.participant.tolist()
    names[::3] = [None] * 40
    trials = replace(everybody[0].trials, participant=Labels.of(names))
    report = build_report([replace(each, trials=trials) for each in everybody], FEW)
    full = build_report(everybody, FEW)
    (sample,) = report.samples
    assert (sample.clusters, sample.cluster_count, sample.participants) == ("participants", 6, 6)
    assert (sample.unnamed, sample.not_resampled, sample.trials) == (40, 40, 120)
    for row in report.rows:
        assert row.estimate == pytest.approx(_row(full, row.model, row.trial_type, row.metric).estimate)
    assert "40 of 120 trials do not name a participant" in formatting.method(report)[0]
    assert "the intervals depend on the other 80" in formatting.method(report)[0]


def test_a_trial_type_without_names_has_a_very_wide_interval_and_no_test() -> None:
    scored = _judged()
    names = scored[0].trials.participant.tolist()
    names[:20] = [None] * 20
    trials = replace(scored[0].trials, participant=Labels.of(names))
    report = build_report([replace(each, trials=trials) for each in scored], replace(FEW, baseline="fair"))
    row = _row(report, "good", "8-rank-2")
    assert row.high - row.low > 0.5
    assert row.difference is not None
    assert (row.difference.low, row.difference.p_value, row.difference.p_holm) == (None, None, None)
    assert "no participants and no images in 8-rank-2" in " ".join(formatting.notes(report))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"participant": ["p"] * 120}, "one participant judged all, so trials are resampled"),
        (
            {"participant": ["p"] * 120, "session": [str(at % 7) for at in range(120)]},
            "one participant judged all, so sessions are resampled",
        ),
        ({"participant": ["p"] * 90 + [None] * 30}, "30 of 120 trials do not name a participant, so the intervals"),
        ({"participant": [None] * 120}, "the table does not say which trials one person judged"),
        (
            {"participant": None, "session": ["a"] * 60 + ["b"] * 50 + [None] * 10},
            "10 of 120 trials do not name a session; the accuracies use all trials, and the intervals depend on",
        ),
    ],
)
def test_the_method_states_the_clusters_and_the_reason(columns: dict[str, Any], told: str) -> None:
    line, _ = formatting.method(build_report(_judged(**columns), FEW))
    assert told in line


def test_few_participants_give_one_warning() -> None:
    few = build_report(_judged(participant=[f"p{at % 2}" for at in range(120)]), FEW)
    assert [note for note in formatting.notes(few) if "wide" in note] == [
        "The intervals are wide, because the sample is small: 2 participants (fewer than 5)."
    ]
    enough = build_report(_judged(participant=[f"p{at % 5}" for at in range(120)]), FEW)
    assert not any("wide" in note for note in formatting.notes(enough))


def test_the_warning_names_a_trial_type_of_few_participants() -> None:
    names = ["a", "b"] * 10 + [f"p{at % 9}" for at in range(100)]
    report = build_report(_judged(participant=names), FEW)
    (note,) = (note for note in formatting.notes(report) if "wide" in note)
    assert "2 participants in 8-rank-2 (fewer than 5)" in note


@pytest.mark.parametrize("counts", [{"2_choose_1": 1}, {"8_rank_2": 1}])
def test_one_trial_tests_nothing(counts: dict[str, int]) -> None:
    _, scored = _study(**counts)
    report = build_report(scored, replace(FEW, baseline="random"))
    gains = [row.difference for row in report.rows if row.difference is not None]
    assert gains
    assert all((gain.low, gain.high, gain.p_value, gain.p_holm) == (None,) * 4 for gain in gains)


def test_a_difference_that_is_the_same_everywhere_is_not_tested() -> None:
    _, scored = _study(**{"2_choose_1": 50})
    right = replace(scored[0], model="right", credit=np.ones_like(scored[0].credit))
    wrong = replace(scored[0], model="wrong", credit=np.zeros_like(scored[0].credit))
    report = build_report([right, wrong, scored[1]], replace(FEW, baseline="right"))
    gain, other = (_row(report, name, "all").difference for name in ("wrong", "fair"))
    assert gain is not None
    assert (gain.estimate, gain.low, gain.high, gain.p_value, gain.p_holm) == (-1.0, None, None, None, None)
    assert other is not None
    assert other.p_holm == other.p_value
    assert any("Too few to test" in note for note in formatting.notes(report))


def _repeated(outcomes: Outcomes, times: NDArray[np.integer[Any]]) -> Outcomes:
    """The same rows, each several times, with new ids."""
    rows = np.repeat(np.arange(len(outcomes.trials)), times)
    trials = replace(outcomes.trials.take(rows), trial_id=np.arange(rows.size))
    return _moved(outcomes, trials, rows)


def test_whole_weights_are_rows_repeated_when_they_are_used() -> None:
    scored = _judged()
    weight = np.random.default_rng(5).integers(0, 4, 120)
    heavy = replace(scored[0].trials, weight=weight.astype(np.float32))
    used = replace(FEW, weighted=True, baseline="fair")
    weighted = build_report([replace(each, trials=heavy) for each in scored], used)
    repeated = [_repeated(each, weight) for each in scored]
    expanded = build_report(
        [replace(each, trials=repeated[0].trials) for each in repeated], replace(used, weighted=False)
    )
    for row in weighted.rows:
        other = _row(expanded, row.model, row.trial_type, row.metric)
        assert row.estimate == pytest.approx(other.estimate, abs=1e-12)
        # The weight of one judgment is no evidence of several, so an interval can be wider, but not narrower.
        assert row.low <= other.low + 1e-9
        assert row.high >= other.high - 1e-9
        if row.difference is not None:
            assert other.difference is not None
            assert row.difference.estimate == pytest.approx(other.difference.estimate, abs=1e-12)
    pooled, same = (_row(report, "good", "all") for report in (weighted, expanded))
    assert (pooled.low, pooled.high) == pytest.approx((same.low, same.high))
    assert (pooled.trials, same.trials) == (120, weight.sum())


def test_weights_are_left_alone_unless_they_are_asked_for_and_a_note_says_so() -> None:
    scored = _judged()
    heavy = replace(scored[0].trials, weight=np.arange(1, 121, dtype=np.float32))
    plain, unused = build_report(scored, FEW), build_report([replace(each, trials=heavy) for each in scored], FEW)
    assert plain.rows == unused.rows
    assert not any("--weighted" in note for note in formatting.notes(plain))
    (note,) = (note for note in formatting.notes(unused) if "--weighted" in note)
    assert "different weights" in note


def test_equal_weights_change_nothing() -> None:
    scored = _judged()
    equal = replace(scored[0].trials, weight=np.full(120, 0.3, np.float32))
    weighted = build_report([replace(each, trials=equal) for each in scored], replace(FEW, weighted=True))
    for row in build_report(scored, FEW).rows:
        other = _row(weighted, row.model, row.trial_type, row.metric)
        assert (other.estimate, other.low, other.high) == pytest.approx((row.estimate, row.low, row.high))
        assert (other.trials, other.comparisons, other.ties) == (row.trials, row.comparisons, row.ties)


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        ([1.0] * 117 + [np.nan] * 3, r"3 of 120 trials have no weight \(trial_id 117, 118, 119\)"),
        ([np.nan] * 120, "120 of 120 trials have no weight"),
        ([1.0] * 119 + [np.nan], "1 of 120 trials has no weight"),
        ([0.0] * 20 + [1.0] * 100, r"the weight of every trial of 8-rank-2 is 0 \(20 trials\)"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weight: list[float], reason: str) -> None:
    scored = _judged(weight=np.array(weight, np.float32))
    with pytest.raises(ReportError, match=reason):
        build_report(scored, replace(FEW, weighted=True))


def test_a_participant_without_weight_is_not_resampled() -> None:
    scored = _judged()
    who = scored[0].trials.participant.code
    heavy = replace(scored[0].trials, weight=(who != who[0]).astype(np.float32))
    report = build_report([replace(each, trials=heavy) for each in scored], replace(FEW, weighted=True))
    assert report.samples[0].cluster_count == 5


def test_a_note_names_models_that_the_baseline_has_no_row_for() -> None:
    _, scored = _study(**{"2_choose_1": 30})
    report = build_report([scored[0], replace(scored[1], distance="cosine")], replace(FEW, baseline="good"))
    assert all(row.difference is None for row in report.rows)
    (note,) = (note for note in formatting.notes(report) if "Without a difference" in note)
    assert "fair with cosine" in note


def test_one_display_judged_by_many_tells_how_people_differ() -> None:
    rng = np.random.default_rng(0)
    votes = rng.random(60) < 0.7
    trials = Trials.build(
        ["a", "b", "c"],
        ["2-choose-1"] * 60,
        np.zeros(60, int),
        np.tile([1, 2], (60, 1)),
        np.where(votes, 0, 1)[:, None],
        participant=[f"p{at}" for at in range(60)],
    )
    credit = votes.astype(np.float32)
    row = build_report([Outcomes("m", "mse", trials, credit)], FEW).rows[0]
    share = votes.mean()
    half = stats.t.ppf(0.975, 2) * np.sqrt(share * (1 - share) / 59)
    assert (row.high - row.low) / 2 == pytest.approx(half, rel=0.15)
    assert 0.0 < row.low < share < row.high <= 1.0


def test_a_note_says_if_replicates_are_too_few_for_a_level() -> None:
    report = build_report(_judged(), replace(FEW, level=0.9999))
    assert "100 replicates are too few for the shape of 99.99 % intervals" in " ".join(formatting.notes(report))
    assert not any("replicates" in note for note in formatting.notes(build_report(_judged(), FEW)))
