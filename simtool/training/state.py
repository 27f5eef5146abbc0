"""Where a training stands: everything about it that is not an array."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from simtool.training.errors import TrainingError
from simtool.training.precision import LossScale
from simtool.training.settings import Settings

__all__ = ["Reason", "State"]

#: Why a training is over: all epochs are done, no epoch was better for a while, its time is up.
Reason = Literal["epochs", "early stop", "time"]


@dataclass
class State:
    """Where a training stands.

    Attributes:
        epoch: epochs that are complete.
        step_in_epoch: steps of the epoch that is not.
        step: steps in all.
        skipped: steps whose values were not finite.
        skipped_in_row: the last of them, without one in between that was finite.
        scale: of the loss, for the next step.
        seconds: of training, over all runs.
        rows: examples since the last row of the history.
        sums: of the metrics over them.
        norms: of the gradients, summed over the steps since then.
        counted: the steps that ``rows``, ``sums`` and ``norms`` are over.
        best_epoch: the epoch, counted from 1, with the best weights; 0 while there is none.
        best_value: of the metric that chose it.
        best_file: where its weights lie; empty while there are none.
        worse: evaluations since then.
        time_up: whether all workers have agreed that the time is up.
        history: a row for each epoch, as in the log.
        ended: why the training is over; None while it is not.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    scale: LossScale = field(default_factory=LossScale)
    seconds: float = 0.0
    rows: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    norms: float = 0.0
    counted: int = 0
    best_epoch: int = 0
    best_value: float = math.nan
    best_file: str = ""
    worse: int = 0
    time_up: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: Reason | None = None

    def reason_to_end(self, settings: Settings) -> Reason | None:
        """Why a training in this state does not go on; None where it does."""
        if self.epoch >= settings.epochs:
            return "epochs"
        if settings.early_stop and self.worse >= settings.early_stop:
            return "early stop"
        return "time" if self.time_up else None

    def has_time(self, settings: Settings) -> bool:
        """Whether the time that training may take is not yet up."""
        return not settings.max_minutes or self.seconds < 60 * settings.max_minutes

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON; every number comes back exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read what :meth:`to_json` gives.

        Raises:
            TrainingError: it is something else.
        """
        names = {one.name for one in fields(cls)}
        if not isinstance(content, dict) or content.keys() != names:
            raise TrainingError("the state of the training is that of another version")
        return cls(**{**content, "scale": LossScale(**content["scale"])})
