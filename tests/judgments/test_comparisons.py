from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.designs import parse_type
from simtool.judgments import comparisons
from simtool.judgments.comparisons import Comparisons, Selections
from simtool.tables.trials import Trials
from tests.scoring.judged import some_trials

TRIALS = Trials.build(
    images=["a", "b", "c", "d", "e"],
    trial_type=["3-rank-2", "2-choose-1", "3-rank-2"],
    query=np.array([0, 1, 4]),
    references=np.array([[1, 2, 3], [0, 2, -1], [3, 2, 0]]),
    selected=np.array([[0, 2], [1, -1], [1, 0]]),
)


def triples(found: Comparisons, trials: Trials) -> list[str]:
    """Each comparison as its images: ``abc`` where b was judged nearer to a than c."""
    return ["".join(trials.images[[*codes]]) for codes in zip(found.anchor, found.near, found.far, strict=True)]


def test_trials_of_mixed_types_follow_each_other() -> None:
    found = Comparisons.of(TRIALS)
    assert triples(found, TRIALS) == ["abc", "abd", "adc", "bca", "ecd", "eca", "eda"]
    assert found.trial.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert {array.dtype for array in (found.trial, found.anchor, found.near, found.far)} == {np.dtype(np.int32)}


def test_some_comparisons_keep_the_numbers_of_their_trials() -> None:
    some = Comparisons.of(TRIALS).take(np.array([1, 4, 6]))
    assert triples(some, TRIALS) == ["abd", "ecd", "eda"]
    assert some.trial.tolist() == [0, 2, 2]
    assert len(some.take(some.trial == 2)) == 2


def test_types_of_which_no_trial_is_left_are_passed_over() -> None:
    rest = TRIALS.take(np.array([1]))
    assert triples(Comparisons.of(rest), rest) == ["bca"]


@given(rows=st.permutations(range(23)))
@settings(max_examples=20, deadline=None)
def test_each_trial_has_its_comparisons_at_any_position(rows: list[int]) -> None:
    trials = some_trials(23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons, "_STEP", 3)
        moved = Comparisons.of(trials.take(np.array(rows)))
    whole = Comparisons.of(trials)
    for place, row in enumerate(rows):
        one, other = (each.take(each.trial == at) for each, at in ((moved, place), (whole, row)))
        for name in ("anchor", "near", "far"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("codes", [1, 1 << 16], ids=["sorted", "counted"])
@pytest.mark.parametrize("kind", ["2-choose-1", "8-rank-2", "5-choose-2", "8-rank-7", "128-rank-20"])
def test_comparisons_of_selections_are_those_of_the_design(
    kind: str, codes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "_CODES", codes)
    design, rng = parse_type(kind), np.random.default_rng(0)
    shown = np.array([rng.permutation(300)[: design.n_reference + 1] for _ in range(40)])
    selected = np.array([rng.permutation(design.n_reference)[: design.n_select] for _ in range(40)])
    selected[20:] = selected[:20]
    trials = Trials.build([str(image) for image in range(300)], [kind] * 40, shown[:, 0], shown[:, 1:], selected)
    found, expected = Comparisons.of(trials), design.compare(trials.query, trials.references, trials.selected)
    for one, other in zip((found.anchor, found.near, found.far), expected, strict=True):
        np.testing.assert_array_equal(one, other.ravel())
    number = Selections.of(trials).of_trial
    np.testing.assert_array_equal(number[20:], number[:20])
    assert len(np.unique(number)) == len(np.unique(selected, axis=0))
