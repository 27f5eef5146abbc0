"""Outcomes out of fold are honest: noise stays at chance, and unseen images stay unseen."""

from __future__ import annotations

import signal
import threading
from functools import partial

import numpy as np
import pytest

from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import FoldError, HoldOut, comparison_folds
from simtool.scoring.distances import SimilarityError
from simtool.scoring.plan import Plan
from simtool.scoring.scoring import score_vectors
from simtool.system.threads import Workers
from simtool.tables.trials import Trials
from simtool.transforms.reweighting import heldout
from simtool.transforms.reweighting.families import Kind
from simtool.transforms.reweighting.heldout import HeldOut, Names, _Tests, held_out
from simtool.transforms.reweighting.learner import Learner, Recipe, directed_distances
from simtool.transforms.reweighting.loss import Similarity
from tests.transforms.reweighting.planted import IMAGES, noise, planted, vectors

NAMES = Names("before", "after", "control")
WEAK = Recipe(Kind.ASYMMETRIC, components=None, penalties=(1e-3,))
FIXED = Recipe(components=None, penalties=(30.0,))


def accuracies(found: HeldOut) -> dict[str, float]:
    return {each.model: float(each.credit.mean(dtype=np.float64)) for each in found.outcomes}


def learned(trials: Trials, hold_out: HoldOut, recipe: Recipe, dimension: int = 20, folds: int = 3) -> HeldOut:
    return held_out(vectors(dimension), trials, recipe, hold_out, NAMES, folds)


def test_noise_is_predicted_at_chance_by_trial_and_above_chance_where_trials_leak() -> None:
    """People who select at random cannot be predicted. The comparisons of a trial tell about each other, though."""
    trials = noise(400)
    by_trial, by_comparison = (
        accuracies(learned(trials, scheme, WEAK))["after"] for scheme in (HoldOut.TRIAL, HoldOut.COMPARISON)
    )
    assert by_trial == pytest.approx(0.5, abs=0.025)  # two standard errors; a trial is worth 4.6 comparisons
    assert by_comparison > 0.6


def test_a_planted_map_is_found_on_unseen_trials_queries_and_images() -> None:
    x = vectors()
    trials = planted(4 * x * np.array([5, 0, 0, 0, 0, 0.0]) @ x.T, 6000)
    for scheme in (HoldOut.TRIAL, HoldOut.QUERY, HoldOut.IMAGE):
        found = accuracies(learned(trials, scheme, FIXED, dimension=6))
        assert found["after"] > found["before"] + 0.1


def test_each_comparison_is_tested_once_and_the_vectors_before_are_scored_as_they_are() -> None:
    trials = noise(60)
    found = learned(trials, HoldOut.TRIAL, FIXED)
    assert found.trials is trials
    assert [each.model for each in found.outcomes] == ["before", "after"]
    centered = vectors(20) - vectors(20).mean(axis=0)
    np.testing.assert_array_equal(found.outcomes[0].credit, score_vectors(centered, trials, ["cosine"])[0].credit)


def test_with_images_held_out_comparisons_of_unseen_images_become_trials() -> None:
    trials = noise(300)
    found = learned(trials, HoldOut.IMAGE, FIXED)
    assert [each.model for each in found.outcomes] == ["before", "after", "control"]
    comparisons = Comparisons.of(trials)
    folds = comparison_folds(trials, comparisons, HoldOut.IMAGE, 3)
    assert len(found.trials) == sum(int(fold.test.sum()) for fold in folds)
    tested = np.logical_or.reduce([fold.test for fold in folds])
    assert found.trials.extra["source_trial_id"].to_pylist() == comparisons.trial[tested].tolist()


def test_more_splits_test_more_comparisons() -> None:
    trials = noise(100)
    counts = [len(held_out(vectors(), trials, FIXED, HoldOut.IMAGE, NAMES, 3, repeats).trials) for repeats in (1, 2, 4)]
    assert counts[0] < counts[1] < counts[2]


def test_vectors_of_unseen_images_do_not_change_what_is_learned() -> None:
    trials = noise(200)
    training = Comparisons.of(trials).take(comparison_folds(trials, Comparisons.of(trials), HoldOut.IMAGE, 3)[0].train)
    seen = np.unique([training.anchor, training.near, training.far])
    other = vectors() + 100
    other[seen] = vectors()[seen]
    recipe = Recipe(components=4, penalties=(100.0,))
    one, two = (Learner(each, trials, recipe).learn(training, HoldOut.IMAGE) for each in (vectors(), other))
    np.testing.assert_array_equal(one.maps("x")[0].weights, two.maps("x")[0].weights)
    np.testing.assert_array_equal(one.space.mean, two.space.mean)


def test_nested_folds_choose_a_strong_penalty_for_noise_and_a_weaker_one_for_signal() -> None:
    x = vectors()
    signal = planted(4 * x * np.array([5, 0, 0, 0, 0, 0.0]) @ x.T, 3000)
    recipe = Recipe(components=None, penalties=(1e5, 1e3, 100.0, 10.0, 1.0))
    for trials, chosen in ((noise(100), {1e5}), (signal, {100.0, 10.0, 1.0})):
        found = Learner(x, trials, recipe).learn(Comparisons.of(trials), HoldOut.TRIAL)
        assert found.penalty in chosen


def test_too_few_judgments_for_nested_folds_say_what_to_do() -> None:
    with pytest.raises(FoldError, match=r"no penalty can be chosen within a training part: .*; or give --penalty"):
        learned(noise(3), HoldOut.TRIAL, Recipe(components=None))


@pytest.mark.parametrize("similarity", Similarity)
def test_the_credit_of_an_asymmetric_map_follows_the_direction(similarity: Similarity) -> None:
    x, trials = vectors(), noise(30)
    recipe = Recipe(Kind.ASYMMETRIC, similarity, None, penalties=(1.0,))
    found = Learner(x, trials, recipe).learn(Comparisons.of(trials), HoldOut.TRIAL)
    other, anchor = (each.apply(x) for each in found.maps("x"))
    table = directed_distances(anchor, other, similarity, np.array(IMAGES, object))
    matrix = np.full((len(x), len(x)), np.nan)
    matrix[table.first, table.second] = table.distance
    pairs = Comparisons.of(trials)
    credit = found.credit(x, trials, Plan.of(trials))
    np.testing.assert_array_equal(credit == 1, matrix[pairs.anchor, pairs.near] < matrix[pairs.anchor, pairs.far])


@pytest.mark.parametrize("kind", [Kind.FULL, Kind.ASYMMETRIC])
def test_a_vector_without_direction_is_named(kind: Kind) -> None:
    recipe = Recipe(kind, components=None, penalties=(30.0,))
    with pytest.raises(SimilarityError, match="no cosine for 40 images whose centered or transformed vectors"):
        held_out(np.ones((40, 3)), noise(60), recipe, HoldOut.TRIAL, NAMES, 3)


@pytest.mark.parametrize("penalties", [(30.0,), (1e4, 100.0, 1.0)])
@pytest.mark.parametrize("scheme", [HoldOut.TRIAL, HoldOut.IMAGE])
def test_progress_counts_all_fits(penalties: tuple[float, ...], scheme: HoldOut) -> None:
    recipe, steps = Recipe(components=None, penalties=penalties), list[int]()
    held_out(vectors(5), noise(300), recipe, scheme, NAMES, 3, advance=steps.append)
    assert sum(steps) == recipe.fits * 3 * (2 if scheme is HoldOut.IMAGE else 1)
    assert recipe.fits == (1 if len(penalties) == 1 else 12)


def test_a_loss_that_is_not_a_number_ends_the_search_for_a_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "_losses", lambda *_: iter([0.7, 0.6, np.nan, 0.1]))
    recipe = Recipe(components=None, penalties=(1e4, 100.0, 10.0, 1.0))
    trials = noise(60)
    assert Learner(vectors(5), trials, recipe).learn(Comparisons.of(trials), HoldOut.TRIAL).penalty == 100


def test_an_interruption_ends_what_other_threads_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads learn a fold each, by six fits or more. The first fit that is done interrupts."""
    steps, step, interrupted = list[int](), _Tests._step, list[int]()

    def counted(tests: _Tests) -> None:
        steps.append(len(interrupted))
        step(tests)

    def interrupt(_: int) -> None:
        if not interrupted:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # as Ctrl-C does
        interrupted.append(1)

    monkeypatch.setattr(_Tests, "_step", counted)
    monkeypatch.setattr(heldout, "Workers", partial(Workers, 2))
    recipe = Recipe(Kind.ASYMMETRIC, components=None, penalties=(1e-3, 1e-4))
    with pytest.raises(KeyboardInterrupt):
        held_out(vectors(20), noise(200), recipe, HoldOut.TRIAL, NAMES, 2, advance=interrupt)
    assert len(interrupted) < 3
    assert sum(count > 0 for count in steps) < sum(count == 0 for count in steps) / 4
