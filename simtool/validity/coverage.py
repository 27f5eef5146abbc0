"""Coverage of intervals and error of tests, over simulated studies of one design."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from simtool.analysis.inference.intervals import NOTHING, Estimates
from simtool.analysis.inference.units import Units
from simtool.validity.population import Redrawn
from simtool.validity.power import LEVEL, power_of
from simtool.validity.setting import Setting
from simtool.validity.share import Share
from simtool.validity.world import BLIND, GOOD, MODELS, TWIN, WEAKER, World, estimates

__all__ = ["Coverage", "Found", "Simulated", "simulate", "units_for"]

Floats: TypeAlias = NDArray[np.float64]

#: The accuracies and the differences whose intervals are checked, with their names.
_ACCURACIES = {GOOD: "good", BLIND: "blind"}
_PAIRS = {(GOOD, TWIN): "equal", (GOOD, WEAKER): "close", (GOOD, BLIND): "good - blind"}


@dataclass(frozen=True)
class Coverage:
    """The intervals of one quantity, over simulated studies.

    Attributes:
        redrawn: what differs between the studies, in addition to the people.
        units: the units in which the intervals resample images.
        quantity: ``accuracy`` or ``difference``.
        of: the model (good, or blind: it knows nothing), or the two models.
        truth: the true value: the mean over the studies; 0 for models that are equal.
        held: the studies whose interval holds the truth.
        rejected: the studies in which the test rejects the truth at level .05; None for an accuracy.
        width: the mean width of the intervals, relative to what the variation over the studies asks for.
    """

    redrawn: Redrawn
    units: Units
    quantity: str
    of: str
    truth: float
    held: Share
    rejected: Share | None
    width: float


@dataclass(frozen=True)
class Found:
    """How often the test finds a true difference.

    Attributes:
        redrawn: what differs between the studies, in addition to the people.
        units: the units in which the standard errors resample images.
        difference: the true difference of two models.
        error: the mean of its standard errors.
        predicted: the power that these tell.
        observed: the studies in which the test finds the difference.
    """

    redrawn: Redrawn
    units: Units
    difference: float
    error: float
    predicted: float
    observed: Share


@dataclass(frozen=True)
class Simulated:
    """The intervals and tests of simulated studies, with one kind of repetition and of resampling."""

    coverage: tuple[Coverage, ...]
    power: Found


def units_for(redrawn: Redrawn) -> list[Units]:
    """The units to resample in studies with some repetition: images as usual, and the units that fit it."""
    fitting = {
        Redrawn.NOTHING: Units.NOTHING,
        Redrawn.IMAGES: Units.IMAGE,
        Redrawn.CLASSES: Units.CLASS,
        Redrawn.GROUPS: Units.GROUP,
    }
    return list(dict.fromkeys([Units.IMAGE, fitting[redrawn]]))


def simulate(
    world: World, redrawn: Redrawn, studies: int, setting: Setting, advance: Callable[[int], object] = lambda _: None
) -> list[Simulated]:
    """Simulate studies, and look at their intervals and tests: one result for each of :func:`units_for`.

    Args:
        world: of the studies.
        redrawn: what differs between them, in addition to the people.
        studies: number of studies, at least 2.
        setting: replicates, level and seed.
        advance: called with 1 after each of them.
    """
    kinds = units_for(redrawn)
    found = []
    for number in range(studies):
        trials, credit = world.study(number, redrawn)
        found.append([estimates(trials, credit, setting, units) for units in kinds])
        advance(1)
    by_units = zip(*found, strict=True)
    return [_simulated(redrawn, units, each, setting.level) for units, each in zip(kinds, by_units, strict=True)]


def _simulated(redrawn: Redrawn, units: Units, found: Sequence[Estimates], level: float) -> Simulated:
    means = np.array([each.mean for each in found])
    t = np.mean([stdtrit(max(each.effective_size - 1, 1), (1 + level) / 2) for each in found])
    accuracies = []
    for column, name in _ACCURACIES.items():
        ends = np.array([each.interval(column, level) for each in found])
        truth = float(means[:, column].mean())
        held, width = _held(ends, truth), _width(ends, means[:, column], t)
        accuracies.append(Coverage(redrawn, units, "accuracy", name, truth, held, None, width))
    differences = []
    for (one, other), name in _PAIRS.items():
        tests = _Tests.of(found, one, other)
        truth = 0.0 if (one, other) == (GOOD, TWIN) and redrawn is not Redrawn.NOTHING else tests.truth
        ends = tests.ends(level)
        rejected, width = Share.of(tests.p_values(truth) < LEVEL), _width(ends, tests.gain, t)
        differences.append(Coverage(redrawn, units, "difference", name, truth, _held(ends, truth), rejected, width))
    close = _Tests.of(found, GOOD, WEAKER)
    return Simulated((*accuracies, *differences), _power(redrawn, units, close))


@dataclass(frozen=True)
class _Tests:
    """The difference of two models in S studies.

    Attributes:
        gain: (S,) the differences.
        error: (S,) their standard errors; infinite in a study that is too small to test.
        freedom: (S,) degrees of freedom.
    """

    gain: Floats
    error: Floats
    freedom: Floats

    @classmethod
    def of(cls, found: Sequence[Estimates], one: int, other: int) -> _Tests:
        contrast = np.eye(len(MODELS))[one] - np.eye(len(MODELS))[other]
        gain = np.array([contrast @ each.mean for each in found])
        error = np.array([each.covariance.standard_error(contrast) for each in found])
        error[(error <= NOTHING) | (np.array([each.effective_size for each in found]) < 2)] = math.inf
        return cls(gain, error, np.array([max(each.effective_size - 1, 1) for each in found]))

    @property
    def truth(self) -> float:
        """The mean difference."""
        return float(self.gain.mean())

    def ends(self, level: float) -> Floats:
        """The intervals, (S, 2)."""
        half = self.error * stdtrit(self.freedom, (1 + level) / 2)
        return np.stack([self.gain - half, self.gain + half], axis=1)

    def p_values(self, truth: float) -> Floats:
        """The two-sided p values of the hypothesis that the difference is some value, (S,)."""
        return np.asarray(2 * stdtr(self.freedom, -np.abs((self.gain - truth) / self.error)))


def _held(ends: Floats, truth: float) -> Share:
    return Share.of((ends[:, 0] <= truth) & (truth <= ends[:, 1]))


def _width(ends: Floats, values: Floats, t: float) -> float:
    """The mean width of intervals, (S, 2), relative to 2 t standard deviations of the values, (S,)."""
    spread = float(values.std(ddof=1))
    return float((ends[:, 1] - ends[:, 0]).mean() / (2 * t * spread)) if spread else math.inf


def _power(redrawn: Redrawn, units: Units, tests: _Tests) -> Found:
    error, freedom = float(tests.error.mean()), int(np.median(tests.freedom))
    predicted = power_of(tests.truth, error, freedom)
    return Found(redrawn, units, tests.truth, error, predicted, Share.of(tests.p_values(0.0) < LEVEL))
