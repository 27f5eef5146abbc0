"""A simulated world: images with latent positions, people who judge by them, and models that know them more or less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.units import Units
from simtool.analysis.inference.values import Values
from simtool.analysis.study import Study
from simtool.tables.trials import Trials
from simtool.validity.displays import Displays
from simtool.validity.people import Crowd, Habits
from simtool.validity.population import Population, Redrawn
from simtool.validity.power import smallest_difference
from simtool.validity.search import where
from simtool.validity.setting import Setting

__all__ = ["BLIND", "GOOD", "MODELS", "TWIN", "WEAKER", "World", "estimates"]

Floats: TypeAlias = NDArray[np.float64]

#: The simulated models, by position: two that are equally good, a slightly weaker one, and one that knows nothing.
MODELS = ("good", "twin", "weaker", "blind")
GOOD, TWIN, WEAKER, BLIND = range(len(MODELS))

#: The range of the sensitivity of people, and of the errors of models relative to the latent space.
_SENSITIVITY, _ERROR = (0.05, 60.0), (0.02, 20.0)
#: Trials whose simulation tells a mean accuracy well enough, and the most studies that are simulated for this.
_TRIALS, _PILOTS = 120_000, 60
#: Rounds of the search for the weaker model.
_ROUNDS = 2
#: The number of the first of these studies.
_FIRST_PILOT = 1 << 20


@dataclass(frozen=True)
class _Drawn:
    """One study before anybody chooses.

    Attributes:
        space: (n, D) the position of each image, by which people judge.
        errors: (3, n, D) the errors of the models that know the positions, with the spread of the positions.
        other: (n, D) the positions for the model that knows nothing.
        habits: of the people.
        choices: seed of the choices.
    """

    space: Floats
    errors: Sequence[Floats]
    other: Floats
    habits: Habits
    choices: Sequence[int]


@dataclass(frozen=True)
class World:
    """The design, the images, the people and the models of simulated studies.

    Attributes:
        displays: of the trials.
        population: of the images.
        seed: of everything random.
        sensitivity: of the average person.
        errors: the size of the errors of the models that know the positions, relative to the spread of these.
        crowd: the people; None to find them in the trials.
    """

    displays: Displays
    population: Population
    seed: int = 0
    sensitivity: float = 10.0
    errors: tuple[float, float, float] = (0.5, 0.5, 0.6)
    crowd: Crowd = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "crowd", Crowd(self.displays))

    def study(self, number: int, redrawn: Redrawn) -> tuple[Trials, list[NDArray[np.float32]]]:
        """Simulate a study: its trials, and the credit of each of the models on them, (C,).

        Args:
            number: of the study; the same number gives the same study.
            redrawn: what differs between the studies, in addition to the people.
        """
        drawn = self._draw(number, redrawn)
        selections = self._choose(drawn)
        compared = self.displays.compared(selections)
        points = [*(drawn.space + size * own for size, own in zip(self.errors, drawn.errors, strict=True)), drawn.other]
        credit = [self.displays.credit(compared, self.displays.between(own)) for own in points]
        return self.displays.with_selections(selections), credit

    def _draw(self, number: int, redrawn: Redrawn) -> _Drawn:
        same, fresh = np.random.default_rng([self.seed, 1]), np.random.default_rng([self.seed, 2, number])
        alike = Population(None, None, self.population.images)
        return _Drawn(
            space=self.population.draw(same, fresh, redrawn),
            errors=[alike.draw(same, fresh, redrawn) for _ in self.errors],
            other=alike.draw(same, fresh, redrawn),
            habits=self.crowd.draw(same if self.crowd.people == 1 else fresh),
            choices=(self.seed, 3, number),
        )

    def _choose(self, drawn: _Drawn) -> list[NDArray[np.int8]]:
        generator = np.random.default_rng(drawn.choices)
        return self.crowd.choose(self.displays.between(drawn.space), self.sensitivity, drawn.habits, generator)

    def calibrated(self, truth: float, best: float, setting: Setting) -> World:
        """A world with the same accuracies as a real study.

        The weaker model is weaker by the difference that a test finds with a power of .8.

        Args:
            truth: the accuracy of the latent space itself: it tells how consistently people choose.
            best: the accuracy of the good model.
            setting: replicates.
        """
        pilots = range(_FIRST_PILOT, _FIRST_PILOT + min(_PILOTS, max(1, -(-_TRIALS // len(self.displays)))))
        drawn = [self._draw(number, Redrawn.GROUPS) for number in pilots]
        sensitivity = where(lambda value: replace(self, sensitivity=value)._mean(drawn, 0.0) - truth, *_SENSITIVITY)
        found = replace(self, sensitivity=sensitivity)
        error = found._error_of(drawn, best)
        reached, more = found._mean(drawn, error), 1.1 * error
        for _ in range(_ROUNDS):  # the standard error of the difference grows with the difference
            found = replace(found, errors=(error, error, more))
            lost = float(np.mean([found._detectable(number, setting) for number in pilots]))
            more = found._error_of(drawn, reached - lost)
        return replace(found, errors=(error, error, more))

    def _error_of(self, pilots: Sequence[_Drawn], accuracy: float) -> float:
        """The size of the errors of a model that has some accuracy."""
        return where(lambda value: accuracy - self._mean(pilots, value), *_ERROR)

    def _mean(self, pilots: Sequence[_Drawn], error: float) -> float:
        """The mean accuracy, over some studies, of a model with errors of some size."""
        found = []
        for drawn in pilots:
            compared = self.displays.compared(self._choose(drawn))
            distances = self.displays.between(drawn.space + error * drawn.errors[GOOD])
            found.append(self.displays.credit(compared, distances).mean(dtype=np.float64))
        return float(np.mean(found))

    def _detectable(self, number: int, setting: Setting) -> float:
        """The difference that one study can find between the good and the weaker model."""
        found = estimates(*self.study(number, Redrawn.GROUPS), setting)
        error = found.covariance.standard_error(np.eye(len(MODELS))[GOOD] - np.eye(len(MODELS))[WEAKER])
        return smallest_difference(error, max(found.effective_size - 1, 1))


def estimates(
    trials: Trials, credit: Sequence[NDArray[np.float32]], setting: Setting, units: Units = Units.IMAGE
) -> Estimates:
    """The accuracies of models over all comparisons, as the report estimates them.

    Args:
        trials: the trials.
        credit: of each model, (C,).
        setting: replicates and seed.
        units: the units in which images are resampled.
    """
    study = Study(trials, units=units)
    measured = Measured(study.compared, Values.of(credit), [np.ones(len(study.comparisons), bool)])
    ((found,),) = estimate([measured], setting.replicates, setting.seed)
    return found
