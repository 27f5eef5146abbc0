"""All checks of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.values import Values
from simtool.analysis.report import Sample
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes
from simtool.validity.coverage import Coverage, Found, simulate
from simtool.validity.displays import Displays, Distances
from simtool.validity.null import Shuffled, shuffle
from simtool.validity.population import Population
from simtool.validity.power import Detectable, detectable
from simtool.validity.recovery import COSINE, Learners, Recovered, Vectors, recover, zero_shot
from simtool.validity.setting import Label, Setting
from simtool.validity.world import World

__all__ = ["Check", "check_design", "check_models", "check_students", "several", "world_of"]

#: The accuracies that simulated people can be as predictable as.
_LEAST, _MOST = 0.55, 0.95


@dataclass(frozen=True)
class Check:
    """The results of all checks of a study.

    Attributes:
        sample: the data that intervals depend on.
        setting: how simulated studies are drawn and analysed.
        studies: number of simulated studies of each kind of repetition.
        best: the accuracy of the best model, which simulated people are as predictable as.
        detectable: the differences that can be found, by trial type.
        coverage: the intervals in simulated studies.
        power: the power of the test in simulated studies.
        shuffled: each model on shuffled judgments; empty without vectors.
        recovered: each model as the rule of simulated people; empty without the vectors of two models.
        students: the same, with models as they are beside models that learn; empty if it was not asked for.
    """

    sample: Sample
    setting: Setting
    studies: int
    best: float
    detectable: tuple[Detectable, ...]
    coverage: tuple[Coverage, ...]
    power: tuple[Found, ...]
    shuffled: tuple[Shuffled, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    students: tuple[Recovered, ...] = ()


def world_of(outcomes: Sequence[Outcomes], setting: Setting) -> World:
    """The simulated world of a study, with the same design and accuracies.

    Raises:
        ChoiceError: a type of trials has no rule of choice.
        TableError: the columns of classes or groups are not valid.
    """
    trials, best = outcomes[0].trials, _best(outcomes)
    world = World(Displays(trials), Population.of(trials), setting.seed)
    return world.calibrated(best + (1 - best) / 4, best, setting)


def _best(outcomes: Sequence[Outcomes]) -> float:
    """The accuracy of the best model, within the range that people can have."""
    return float(np.clip(max(each.credit.mean(dtype=np.float64) for each in outcomes), _LEAST, _MOST))


def check_design(
    outcomes: Sequence[Outcomes],
    world: World,
    studies: int,
    setting: Setting,
    advance: Callable[[int], object] = lambda _: None,
) -> Check:
    """Check the intervals and the power of a study on simulated studies of its design.

    Args:
        outcomes: of one or more models, on the same trials.
        world: of the study, see :func:`world_of`.
        studies: number of simulated studies of each kind of repetition.
        setting: replicates, level and seed.
        advance: called with 1 after each simulated study.
    """
    study = Study(outcomes[0].trials)
    simulated = [
        each for redrawn in world.population.repetitions for each in simulate(world, redrawn, studies, setting, advance)
    ]
    return Check(
        sample=study.sample(study.compared),
        setting=setting,
        studies=studies,
        best=_best(outcomes),
        detectable=_detectable(study, outcomes, setting),
        coverage=tuple(row for each in simulated for row in each.coverage),
        power=tuple(each.power for each in simulated),
    )


def _detectable(study: Study, outcomes: Sequence[Outcomes], setting: Setting) -> tuple[Detectable, ...]:
    """The differences that can be found between the models, in each stratum."""
    # The stratum of all trials is that of the only type, if there is one type.
    strata = study.strata if len(study.strata) > 2 else study.strata[1:]
    masks = [stratum.over(study.comparisons) for stratum in strata]
    measured = Measured(study.compared, Values.of([each.credit for each in outcomes]), masks)
    (found,) = estimate([measured], setting.replicates, setting.seed)
    rows = [detectable(stratum.name, estimates) for stratum, estimates in zip(strata, found, strict=True)]
    return tuple(row for row in rows if row is not None)


def several(models: Iterable[Label]) -> bool:
    """Whether there are two models or more, so that one of them can be recovered."""
    return len({model for model, _ in models}) > 1


def check_models(
    check: Check,
    displays: Displays,
    models: Mapping[Label, Distances],
    studies: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Check:
    """Add what needs the distances of models: shuffled judgments, and the recovery of one of several models.

    Args:
        check: of the design.
        displays: of the trials.
        models: the distances of each model, by model and distance.
        studies: number of shuffles, and of simulated studies for each model.
        advance: called with 1 after each of them.
    """
    judge, seed = zero_shot(displays, models), check.setting.seed
    shuffled = shuffle(displays, models, check.setting, studies, advance)
    compared = models if several(models) else {}
    recovered = [
        recover(displays, label, own, judge, check.best, studies, seed, advance) for label, own in compared.items()
    ]
    return replace(check, shuffled=tuple(shuffled), recovered=tuple(recovered))


def check_students(
    check: Check,
    students: Learners,
    models: Mapping[Label, Distances],
    studies: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Check:
    """Add model recovery beside that of models that learn: both on the same simulated studies.

    People judge by the cosine distance of a model as it is, and of the model after it has learned from the real
    judgments.

    Args:
        check: of the design.
        students: the models that learn.
        models: the distances of the models as they are, by model and distance.
        studies: number of simulated studies for each model and each rule of the people.
        advance: called with 1 after each of them.
    """
    displays = students.displays
    judges = {Vectors.PLAIN: zero_shot(displays, models), Vectors.LEARNED: students.judge}
    rules = {Vectors.PLAIN: students.as_they_are, Vectors.LEARNED: students.learned}
    found = [
        recover(displays, (model, COSINE), own, judge, check.best, studies, check.setting.seed, advance, rule, state)
        for rule, distances in rules.items()
        for model in students.models
        for own in [distances(model)]
        for state, judge in judges.items()
    ]
    return replace(check, students=tuple(found))
