"""Folds keep what they hold out unseen, whatever the judgments are."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from simtool.errors import SimtoolError
from simtool.judgments.classes import with_classes
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import Fold, FoldError, HoldOut, comparison_folds, size_matched, trial_folds
from simtool.tables.images import Images
from simtool.tables.trials import Trials

IMAGES = [f"image {number}" for number in range(24)]
WHOLE = [scheme for scheme in HoldOut if scheme.keeps_trials_whole]


def judgments(count: int = 300, seed: int = 0, sessions: int = 12) -> Trials:
    """Trials of two types by six participants in some sessions, of images of eight classes."""
    rng = np.random.default_rng(seed)
    shown = np.array([rng.permutation(len(IMAGES))[:6] for _ in range(count)])
    kinds = np.where(rng.random(count) < 0.5, "5-rank-2", "2-choose-1")
    short = kinds == "2-choose-1"
    references, selected = shown[:, 1:], np.array([rng.permutation(5)[:2] for _ in range(count)])
    references[short, 2:], selected[short] = -1, [0, -1]
    session = rng.integers(sessions, size=count)
    trials = Trials.build(
        IMAGES,
        kinds.tolist(),
        shown[:, 0],
        references,
        selected,
        session=[f"session {number}" for number in session],
        participant=[f"person {number // 2}" for number in session],
    )
    return with_classes(trials, Images.build(IMAGES, IMAGES, class_name=[f"class {n % 8}" for n in range(24)]))


def units(trials: Trials, comparisons: Comparisons, scheme: HoldOut) -> NDArray[np.str_]:
    """The units of a scheme that each comparison belongs to: one, or three images or classes."""
    if scheme is HoldOut.COMPARISON:
        return np.arange(len(comparisons)).astype(str)[:, None]
    if scheme in (HoldOut.IMAGE, HoldOut.CLASS):
        shown = np.stack([comparisons.anchor, comparisons.near, comparisons.far], axis=1)
        return (shown % 8 if scheme is HoldOut.CLASS else shown).astype(str)
    columns: dict[HoldOut, NDArray[Any]] = {
        HoldOut.TRIAL: trials.trial_id,
        HoldOut.QUERY: trials.query,
        HoldOut.SESSION: np.array(trials.session.tolist()),
        HoldOut.PARTICIPANT: np.array(trials.participant.tolist()),
    }
    names: NDArray[np.str_] = columns[scheme][comparisons.trial].astype(str)[:, None]
    return names


@given(scheme=st.sampled_from(HoldOut), count=st.integers(2, 4), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_nothing_that_is_held_out_is_seen_in_training(scheme: HoldOut, count: int, seed: int) -> None:
    trials = judgments(seed=seed)
    comparisons = Comparisons.of(trials)
    names = units(trials, comparisons, scheme)
    folds = comparison_folds(trials, comparisons, scheme, count, seed)
    for fold in folds:
        assert fold.train.any()
        assert fold.test.any()
        assert not set(names[fold.train].ravel()) & set(names[fold.test].ravel())
    for one, other in combinations(folds, 2):
        assert not (one.test & other.test).any()


@pytest.mark.parametrize("scheme", [HoldOut.COMPARISON, *WHOLE])
def test_each_comparison_tests_once_and_trains_in_all_other_folds(scheme: HoldOut) -> None:
    trials = judgments()
    folds = comparison_folds(trials, Comparisons.of(trials), scheme, 3)
    assert (np.sum([fold.test for fold in folds], axis=0) == 1).all()
    assert all((fold.train == ~fold.test).all() for fold in folds)


@pytest.mark.parametrize("scheme", [HoldOut.IMAGE, HoldOut.CLASS])
def test_with_images_held_out_three_unseen_images_test_and_three_seen_ones_train(scheme: HoldOut) -> None:
    trials = judgments()
    comparisons = Comparisons.of(trials)
    names = units(trials, comparisons, scheme)
    for fold in comparison_folds(trials, comparisons, scheme, 2):
        held, kept = set(names[fold.test].ravel()), set(names[fold.train].ravel())
        np.testing.assert_array_equal(fold.test, np.isin(names, [*held]).all(axis=1))
        np.testing.assert_array_equal(fold.train, np.isin(names, [*kept]).all(axis=1))
        assert (~fold.train & ~fold.test).any()  # images on both sides


@pytest.mark.parametrize("scheme", WHOLE)
def test_folds_of_trials_are_the_folds_of_their_comparisons(scheme: HoldOut) -> None:
    trials = judgments()
    comparisons = Comparisons.of(trials)
    for whole, single in zip(
        trial_folds(trials, scheme, 4, 7), comparison_folds(trials, comparisons, scheme, 4, 7), strict=True
    ):
        np.testing.assert_array_equal(whole.test[comparisons.trial], single.test)
        np.testing.assert_array_equal(whole.train[comparisons.trial], single.train)


def test_folds_are_those_of_scikit_learn() -> None:
    trials = judgments()
    session = trials.session.code
    expected = GroupKFold(3, shuffle=True, random_state=5).split(session, groups=session)
    for fold, (train, test) in zip(trial_folds(trials, HoldOut.SESSION, 3, 5), expected, strict=True):
        assert np.flatnonzero(fold.train).tolist() == train.tolist()
        assert np.flatnonzero(fold.test).tolist() == test.tolist()


def test_a_seed_makes_a_split() -> None:
    trials = judgments()
    one, same, other = (trial_folds(trials, HoldOut.TRIAL, 3, seed)[0].test for seed in (1, 1, 1 << 40 | 2))
    assert (one == same).all()
    assert (one != other).any()


def test_folds_of_a_training_part_split_only_what_occurs_in_it() -> None:
    trials = judgments()
    comparisons = Comparisons.of(trials)
    outer = comparison_folds(trials, comparisons, HoldOut.IMAGE, 3)[0]
    training = comparisons.take(outer.train)
    for inner in comparison_folds(trials, training, HoldOut.IMAGE, 2):
        assert len(inner.train) == outer.train.sum()
        assert not set(training.anchor[inner.train]) & set(training.anchor[inner.test])


def test_the_control_tests_the_same_comparisons_with_as_much_training_on_other_trials() -> None:
    trials = judgments(600)
    comparisons = Comparisons.of(trials)
    folds = comparison_folds(trials, comparisons, HoldOut.IMAGE, 2)
    controls = size_matched(comparisons, folds)

    def tested(some: list[Fold]) -> NDArray[np.int64]:
        times: NDArray[np.int64] = np.array([fold.test for fold in some], np.int64).sum(axis=0)
        return times

    np.testing.assert_array_equal(tested(controls), tested(folds))
    assert [control.train.sum() for control in controls] == [fold.train.sum() for fold in folds]
    for control in controls:
        assert not set(comparisons.trial[control.train]) & set(comparisons.trial[control.test])
        shown = np.isin(comparisons.anchor[control.test], comparisons.anchor[control.train])
        assert shown.mean() > 0.9  # the control has seen the images


def bare(count: int = 6, **columns: Any) -> Trials:
    """Trials of one query and two references each."""
    references = np.stack([np.arange(count) + 1, np.arange(count) + 2], axis=1) % (count + 2)
    return Trials.build(
        IMAGES[: count + 2],
        ["2-choose-1"] * count,
        np.arange(count, dtype=np.int32) * 0 + count + 1,
        references % (count + 1),
        np.zeros((count, 1), np.int8),
        **columns,
    )


@pytest.mark.parametrize(
    ("columns", "scheme", "message"),
    [
        ({}, "session", "the trials name no session"),
        ({"session": ["a", "b", "c", " ", None, "a"]}, "session", "2 of 6 trials name no session"),
        (
            {"participant": ["ann"] * 6},
            "participant",
            "1 participant cannot be split into 3 folds; hold out something else",
        ),
        ({}, "query", "1 query cannot be split into 3 folds"),
        ({}, "class", "do not state the classes of their images; give a table of images with --images"),
        ({}, "image", "3 folds of images leave no comparison to train or to test"),
    ],
)
def test_one_line_says_why_a_scheme_is_impossible(columns: dict[str, Any], scheme: str, message: str) -> None:
    trials = bare(**columns)
    with pytest.raises(FoldError, match=message) as refusal:
        comparison_folds(trials, Comparisons.of(trials), HoldOut(scheme), 3)
    assert isinstance(refusal.value, SimtoolError)
    assert "\n" not in str(refusal.value)


def test_odd_one_out_trials_have_no_query_to_hold_out() -> None:
    odd = Trials.build(IMAGES[:4], ["3-odd-1"] * 2, np.array([-1, -1]), np.array([[0, 1, 2], [1, 2, 3]]), [[0], [1]])  # type: ignore[arg-type]
    with pytest.raises(FoldError, match="the trials name no query, so queries cannot be held out"):
        trial_folds(odd, HoldOut.QUERY, 2)


def test_schemes_that_split_trials_have_no_folds_of_trials() -> None:
    with pytest.raises(FoldError, match="do not keep trials whole; hold out one of trial, session, participant, query"):
        trial_folds(bare(), HoldOut.IMAGE, 2)


def test_an_image_of_unknown_class_is_named() -> None:
    classes = ["a", None, *["b"] * 6]
    trials = with_classes(bare(), Images.build(IMAGES[:8], IMAGES[:8], class_name=classes))
    with pytest.raises(FoldError, match="the class of 1 image is unknown, for example of image 1"):
        comparison_folds(trials, Comparisons.of(trials), HoldOut.CLASS, 2)
