"""Strata are names and masks; the analysis takes any list of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simtool.analysis.baseline import Baseline
from simtool.analysis.metrics import METRICS, TRIPLET_ACCURACY
from simtool.analysis.report import Row, Settings
from simtool.analysis.rows import Rows
from simtool.analysis.strata import Stratum, cells_of, strata_of
from simtool.analysis.study import Study
from tests.scored import latent, model, observe, outcomes_of

RNG = np.random.default_rng(0)
MINDS = latent(RNG, 15)
TRIALS = observe(RNG, MINDS, {"8-rank-2": 30, "2-choose-1": 60}, weight=RNG.uniform(1, 3, 90))
SCORED = [outcomes_of(name, "mse", TRIALS, model(RNG, MINDS, noise)) for name, noise in (("good", 0.3), ("fair", 1.0))]


def _rows(study: Study, weighted: bool = False) -> dict[tuple[str, str, str], Row]:
    numbers = Rows(study, SCORED, Settings(replicates=100, weighted=weighted), Baseline("fair"))
    rows = numbers.of(list(METRICS.values()))
    return {(row.trial_type, row.model, row.metric.name): row for row in rows}


def test_the_strata_of_trials_are_all_and_each_type_that_occurs() -> None:
    strata = strata_of(TRIALS)
    assert [stratum.name for stratum in strata] == ["all", "8-rank-2", "2-choose-1"]
    assert [str(stratum.trial_type) for stratum in strata] == ["None", "8-rank-2", "2-choose-1"]
    assert [stratum.mask.sum() for stratum in strata] == [90, 30, 60]
    part = TRIALS.take(TRIALS.type_index == 0)
    assert [stratum.name for stratum in strata_of(part)] == ["all", str(TRIALS.types[0])]


@given(
    st.integers(0, 40).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_cells_are_the_distinct_combinations_of_masks(lists: list[list[bool]]) -> None:
    masks = [np.array(mask, bool) for mask in lists]
    cell, pooled = cells_of(masks)
    combinations = {tuple(mask[at] for mask in masks) for at in range(len(cell))}
    assert set(cell.tolist()) == set(range(len(combinations)))
    for mask, cells in zip(masks, pooled, strict=True):
        assert np.array_equal(np.isin(cell, cells), mask)


def test_a_mask_over_trials_covers_all_their_comparisons() -> None:
    study = Study(TRIALS)
    over = strata_of(TRIALS)[1].over(study.comparisons)
    assert over.sum() == 30 * 13
    assert np.array_equal(Stratum("same", over).over(study.comparisons), over)


def test_more_strata_leave_the_rows_of_the_others_as_they_are_to_the_last_bit() -> None:
    for weighted in (False, True):
        usual, more = Study(TRIALS, weighted), Study(TRIALS, weighted)
        more.strata += [
            Stratum("even", np.arange(90) % 2 == 0),
            Stratum("an image", more.comparisons.near == more.comparisons.near[0]),
            Stratum("pairs", TRIALS.type_index == 1, TRIALS.types[1]),
        ]
        before, after = _rows(usual, weighted), _rows(more, weighted)
        for key, row in before.items():
            if weighted:  # sums over more cells are rounded in another order
                assert np.allclose([after[key].low, after[key].high], [row.low, row.high], rtol=0, atol=1e-12)
                assert after[key].estimate == row.estimate
            else:
                assert after[key] == row


def test_a_stratum_of_trials_or_of_comparisons_counts_its_members() -> None:
    study = Study(TRIALS)
    image = study.comparisons.near == study.comparisons.near[0]
    study.strata += [Stratum("even", np.arange(90) % 2 == 0), Stratum("an image", image)]
    rows = _rows(study)
    even = np.arange(90)[study.comparisons.trial] % 2 == 0
    for name, mask in (("even", even), ("an image", image)):
        row = rows[name, "good", TRIPLET_ACCURACY.name]
        assert row.estimate == SCORED[0].credit[mask].mean(dtype=float)
        assert row.low <= row.estimate <= row.high
        assert row.comparisons == mask.sum()
        assert row.trials == np.unique(study.comparisons.trial[mask]).size
        assert row.difference is not None
        assert (name, "good", "top_1") not in rows


def test_strata_of_the_same_members_have_the_same_numbers() -> None:
    study = Study(TRIALS)
    study.strata += [Stratum("pairs", TRIALS.type_index == 1, TRIALS.types[1])]
    rows = _rows(study)
    for metric in ("triplet_accuracy", "top_1"):
        one, other = rows["pairs", "good", metric], rows[str(TRIALS.types[1]), "good", metric]
        assert (one.estimate, one.low, one.high, one.difference) == (
            other.estimate,
            other.low,
            other.high,
            other.difference,
        )
