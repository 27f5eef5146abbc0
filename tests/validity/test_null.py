"""Shuffled judgments: every model is at chance, also one that predicts all real judgments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simtool.tables.trials import Trials
from simtool.validity.displays import Displays
from simtool.validity.null import Shuffled, shuffle
from simtool.validity.setting import Setting
from simtool.validity.share import Share
from tests.scored import latent, observe


def test_every_model_is_at_chance(trials: Trials) -> None:
    displays = Displays(trials)
    rng = np.random.default_rng(0)
    models = {(str(place), "euclidean"): displays.between(rng.normal(size=(30, 3))) for place in range(3)}
    found = shuffle(displays, models, Setting(replicates=100), 30)
    assert [(row.model, row.distance) for row in found] == list(models)
    for row in found:
        assert row.is_at_chance
        assert abs(row.accuracy - 0.5) < 4 * row.error < 0.1
        assert row.held.value > 0.8


def test_a_model_that_is_tied_everywhere_is_exactly_at_chance(trials: Trials) -> None:
    displays = Displays(trials)
    (found,) = shuffle(displays, {("flat", "mse"): displays.between(np.ones((30, 2)))}, Setting(replicates=100), 3)
    assert (found.accuracy, found.error, found.held) == (0.5, 0.0, Share(3, 3))
    assert found.is_at_chance


def test_an_accuracy_far_from_chance_is_told() -> None:
    sound = Shuffled("m", "mse", 0.51, 0.004, Share(9, 10), 0.001)
    assert sound.is_at_chance
    assert not replace(sound, accuracy=0.52).is_at_chance


def test_shuffles_of_one_trial_that_agree_by_luck_tell_nothing() -> None:
    """Three shuffles of a trial 2-choose-1 are all right or all wrong with probability 1/4."""
    rng = np.random.default_rng(0)
    displays = Displays(observe(rng, latent(rng, 3), {"2-choose-1": 1}))
    found = [
        shuffle(displays, {("m", "mse"): displays.between(rng.normal(size=(3, 2)))}, Setting(seed, 100), 3)[0]
        for seed in range(12)
    ]
    assert any(row.error == 0 and row.accuracy in (0, 1) for row in found)
    assert all(row.is_at_chance for row in found)
