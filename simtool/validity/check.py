"""All checks of a study."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.analysis.report import Sample
from simtool.validity.coverage import Coverage, Found
from simtool.validity.null import Shuffled
from simtool.validity.power import Detectable
from simtool.validity.recovery import Recovered
from simtool.validity.setting import Setting

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """What a report on the trials of a study can be trusted with.

    Attributes:
        sample: the data that intervals depend on.
        setting: how simulated studies were analysed.
        studies: number of simulated studies of each kind.
        best: the accuracy of the best model, which simulated people are as predictable as.
        detectable: the differences that can be found, by trial type.
        coverage: the intervals in simulated studies.
        power: the power of the test in simulated studies.
        shuffled: each model on shuffled judgments; empty without vectors.
        recovered: each model as the rule of simulated people; empty without vectors.
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
