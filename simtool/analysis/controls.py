"""Controls: what training adds to the accuracy of a model, over untrained networks of the same architecture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.intervals import Difference, Estimates, holm
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import Outcomes

__all__ = ["Family", "TrainingGain", "families", "training_gains"]


@dataclass(frozen=True)
class Family:
    """Trained models and the untrained controls that they share, by one distance.

    Attributes:
        models: positions of the trained models, which differ in their training only.
        controls: positions of the controls, which differ in their seeds only.
    """

    models: tuple[int, ...]
    controls: tuple[int, ...]

    @property
    def compared(self) -> tuple[tuple[int, ...], ...]:
        """The models whose mean accuracy is compared with that of the controls: each one, and all if there are more."""
        single = tuple((model,) for model in self.models)
        return single if len(single) == 1 else (*single, self.models)


def families(outcomes: Sequence[Outcomes]) -> list[Family]:
    """Match trained models with their controls: equal lineage apart from the seed, and equal distance.

    Models without controls, and controls without a model, belong to no family.
    """
    found: dict[tuple[Lineage, str], tuple[list[int], list[int]]] = {}
    for at, each in enumerate(outcomes):
        if each.lineage is not None and each.lineage.origin is not None:
            models, controls = found.setdefault((each.lineage.trained, each.distance), ([], []))
            (models if each.lineage.untrained is None else controls).append(at)
    return [Family(tuple(models), tuple(controls)) for models, controls in found.values() if models and controls]


@dataclass(frozen=True)
class TrainingGain:
    """The mean accuracy of some models minus that of their controls, in one metric and one stratum.

    Attributes:
        models: the labels of the models: one, or all that have the same controls.
        trained: their accuracies.
        controls: the labels of the controls.
        seeds: of the controls.
        untrained: the accuracies of the controls.
        difference: the difference of the means, and its test.
        tested: the size of the family of Holm's adjustment: the number of differences from controls that were tested in
            this metric and stratum, on the same trials.
        is_identical: whether models and controls have equal values everywhere. They are not tested.
    """

    models: tuple[str, ...]
    trained: tuple[float, ...]
    controls: tuple[str, ...]
    seeds: tuple[int, ...]
    untrained: tuple[float, ...]
    difference: Difference
    tested: int
    is_identical: bool = False

    @property
    def accuracy(self) -> float:
        """The mean accuracy of the models."""
        return float(np.mean(self.trained))

    @property
    def control(self) -> float:
        """The mean accuracy of the controls."""
        return float(np.mean(self.untrained))


def training_gains(
    estimates: Estimates,
    outcomes: Sequence[Outcomes],
    found: Iterable[Family],
    first_equal: NDArray[np.integer],
    level: float,
) -> dict[int, tuple[TrainingGain, ...]]:
    """Compare models with their controls, with Holm's adjustment over all differences that are tested.

    The difference is a weighted sum of means, whose weights are 1 / m for m models and -1 / k for k controls. Its
    variance is that of the same weighted sum in each observation, so the variance that they share cancels.

    Args:
        estimates: of M models.
        outcomes: of the M models.
        found: families of them.
        first_equal: (M,) the first model that has the same values.
        level: level of the intervals.

    Returns:
        The gains by the position of a model. A gain of several models is at the last of them.
    """
    compared = [(models, family.controls) for family in found for models in family.compared]
    identical = [len({*first_equal[[*models, *controls]].tolist()}) == 1 for models, controls in compared]
    gains = [
        Difference(0.0) if same else estimates.contrast(_weights(len(outcomes), *sides), level)
        for sides, same in zip(compared, identical, strict=True)
    ]
    adjusted = holm([gain.p_value for gain in gains])
    tested = sum(p_value is not None for p_value in adjusted)
    placed: dict[int, tuple[TrainingGain, ...]] = {}
    for (models, controls), gain, p_holm, same in zip(compared, gains, adjusted, identical, strict=True):
        own = TrainingGain(
            models=tuple(outcomes[at].model for at in models),
            trained=tuple(estimates.mean[list(models)].tolist()),
            controls=tuple(outcomes[at].model for at in controls),
            seeds=tuple(_seeds(outcomes, controls)),
            untrained=tuple(estimates.mean[list(controls)].tolist()),
            difference=replace(gain, p_holm=p_holm),
            tested=tested,
            is_identical=same,
        )
        placed[models[-1]] = (*placed.get(models[-1], ()), own)
    return placed


def _weights(count: int, models: Sequence[int], controls: Sequence[int]) -> NDArray[np.float64]:
    weights = np.zeros(count)
    weights[list(models)] = 1 / len(models)
    weights[list(controls)] = -1 / len(controls)
    return weights


def _seeds(outcomes: Sequence[Outcomes], controls: Sequence[int]) -> Iterator[int]:
    for at in controls:
        lineage = outcomes[at].lineage
        if lineage is not None and lineage.untrained is not None:
            yield lineage.untrained
