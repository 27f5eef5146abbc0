"""Shuffled judgments: if selections are drawn at random within each trial, every model is at chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.values import Values
from simtool.analysis.study import Study
from simtool.validity.displays import Displays, Distances
from simtool.validity.setting import CHANCE, Label, Setting
from simtool.validity.share import Share

__all__ = ["Shuffled", "shuffle"]


@dataclass(frozen=True)
class Shuffled:
    """The accuracy of a model on shuffled judgments.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        accuracy: the mean over the shuffles.
        error: its Monte Carlo standard error.
        held: the shuffles whose interval of the accuracy holds chance.
        bound: the largest Monte Carlo error that these trials can have. A few shuffles of a few trials may all agree,
            so that their variation tells nothing.
    """

    model: str
    distance: str
    accuracy: float
    error: float
    held: Share
    bound: float

    @property
    def is_at_chance(self) -> bool:
        """Whether the mean is within four standard errors of chance: an error in one of 16,000 models."""
        return abs(self.accuracy - CHANCE) <= 4 * max(self.error, self.bound)


def shuffle(
    displays: Displays,
    models: Mapping[Label, Distances],
    setting: Setting,
    shuffles: int,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Shuffled]:
    """Score models on shuffled judgments.

    Args:
        displays: the displays of the trials.
        models: the distances of each model, by model and distance.
        setting: replicates and seed.
        shuffles: number of shuffles.
        advance: called with 1 after each of them.
    """
    accuracy, held = np.empty((shuffles, len(models))), np.empty((shuffles, len(models)), bool)
    for number in range(shuffles):
        generator = np.random.default_rng([setting.seed, 0, number])
        drawn = [part.rule.draw(np.zeros(part.first.shape), generator) for part in displays.parts]
        compared = displays.compared(drawn)
        study = Study(displays.with_selections(drawn))
        values = Values.of([displays.credit(compared, own) for own in models.values()])
        everything = [np.ones(len(study.comparisons), bool)]
        ((found,),) = estimate([Measured(study.compared, values, everything)], setting.replicates, setting.seed)
        accuracy[number] = found.mean
        for column in range(len(models)):
            low, high = found.interval(column, setting.level)
            held[number, column] = low <= CHANCE <= high
        advance(1)
    error = accuracy.std(axis=0, ddof=1) / np.sqrt(shuffles)
    implied = displays.trials.implied.astype(np.float64)
    bound = float(np.linalg.norm(implied) / (2 * implied.sum() * np.sqrt(shuffles)))
    columns = zip(models, accuracy.mean(axis=0).tolist(), error.tolist(), held.T, strict=True)
    return [Shuffled(*label, mean, deviation, Share.of(own), bound) for label, mean, deviation, own in columns]
