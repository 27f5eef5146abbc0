"""A fit recovers the embedding that made the choices, its dimensions, its scales and the weights of groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes

from simtool.judgments.folds import FoldError, HoldOut
from simtool.psychological.fitting import Settings, fitted, refitted
from tests.psychological.planted import GROUPS, planted, points_of

MANY = {"8-rank-2": 1500, "2-choose-1": 1000}


def test_planted_points_and_scales_are_recovered() -> None:
    points = points_of(20, 2)
    embedding = fitted(planted(points, MANY, scales=(1.0, 2.0)), 2, Settings())
    assert procrustes(points, embedding.points)[2] < 0.02  # the disparity of random points is about 0.9
    assert embedding.points.std(axis=0).sum() == pytest.approx(points.std(axis=0).sum(), rel=0.2)
    assert embedding.scales == pytest.approx([1, 2], rel=0.35)


def test_odd_one_out_judgments_suffice() -> None:
    points = points_of(12, 2)
    embedding = fitted(planted(points, {"3-odd-1": 3000}), 2, Settings())
    assert procrustes(points, embedding.points)[2] < 0.03


def test_dimensions_are_chosen_by_held_out_likelihood() -> None:
    assert fitted(planted(points_of(20, 2), MANY), None, Settings()).dimensions == 2


def test_weights_of_groups_are_recovered() -> None:
    embedding = fitted(planted(points_of(20, 2), MANY, groups=GROUPS), 2, Settings())
    ratio = embedding.parameters.weights[0] / embedding.parameters.weights[1]
    assert sorted(ratio) == pytest.approx([0.4 / 1.8, 1.8 / 0.4], rel=0.4)


def test_images_that_no_trial_shows_stay_at_the_origin() -> None:
    sample = planted(points_of(12, 2), {"5-rank-2": 200})
    without = sample.take(~(sample.trials.references == 3).any(axis=1) & (sample.trials.query != 3))
    assert not fitted(without, 2, Settings()).points[3].any()


def test_a_seed_repeats_a_fit_exactly() -> None:
    sample = planted(points_of(12, 2), {"5-rank-2": 200})
    one, two, three = (fitted(sample, 2, Settings(seed=seed)).points for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)


def test_a_fit_to_other_choices_keeps_the_similarity_function() -> None:
    points = points_of(20, 2)
    sample = planted(points, MANY)
    embedding = fitted(sample, 2, Settings())
    again = refitted(embedding, embedding.simulated(sample, np.random.default_rng(0)), Settings(restarts=1))
    np.testing.assert_array_equal(again.parameters.kernel, embedding.parameters.kernel)
    assert procrustes(embedding.points, again.points)[2] < 0.02


def test_few_sessions_do_not_prevent_a_fit_by_session() -> None:
    """Two sessions cannot be split into ten parts, so that a part of the trials chooses the penalty."""
    sample = planted(points_of(12, 2), {"5-rank-2": 200})
    few = sample.take(np.isin(sample.trials.session.code, [1, 2]))
    assert fitted(few, 1, Settings(hold_out=HoldOut.SESSION)).dimensions == 1


def test_nine_trials_are_too_few() -> None:
    with pytest.raises(FoldError, match="9 trials cannot be split into 10 folds"):
        fitted(planted(points_of(12, 2), {"5-rank-2": 9}), 2, Settings())
