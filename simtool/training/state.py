"""The state of a training: everything in a checkpoint that is not an array."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from simtool.training.outcome import Reason, Result, TrainingError
from simtool.training.settings import Precision, Settings

if TYPE_CHECKING:  # the step imports TensorFlow
    from simtool.training.step import StepResult

__all__ = ["LossScale", "State"]


@dataclass(frozen=True)
class LossScale:
    """The factor of a float16 loss, by which its gradients are divided (Micikevicius et al. 2018, section 3.2).

    Without it, small float16 gradients vanish.

    Attributes:
        value: the scale, a power of 2; always 1 for the other precisions.
        good: finite steps since the scale last changed.
        dynamic: whether the scale changes.
    """

    value: float = 1.0
    good: int = 0
    dynamic: bool = False

    #: The first scale of a float16 training, and the number of finite steps after which it doubles, as in Keras.
    START, PATIENCE = 2.0**15, 2000

    @classmethod
    def of(cls, precision: Precision) -> Self:
        """The first scale of a training in a precision."""
        return cls(cls.START, 0, True) if precision == "float16" else cls()

    def after(self, finite: bool) -> Self:
        """The scale of the next step; ``finite`` tells whether the gradients of this step were finite."""
        if not self.dynamic:
            return self
        if not finite:
            return replace(self, value=max(self.value / 2, 1.0), good=0)
        if self.good + 1 >= self.PATIENCE:
            return replace(self, value=self.value * 2, good=0)
        return replace(self, good=self.good + 1)


@dataclass
class State:
    """The state of a training.

    Attributes:
        epoch: complete epochs.
        step_in_epoch: steps of the incomplete epoch.
        step: steps in total.
        skipped: steps with values that were not finite.
        skipped_in_row: the number of such steps since the last finite step.
        scale: of the loss, for the next step.
        seconds: training time over all runs.
        rows: examples since the last row of the history.
        sums: of the metrics over these examples.
        norms: of the gradients, summed over the steps since the last row.
        counted: the number of steps in ``rows``, ``sums`` and ``norms``.
        best_epoch: the epoch, counted from 1, with the best weights; 0 if there is none yet.
        best_value: the value of the criterion at that epoch.
        best_file: the file of the best weights; empty if there is none yet.
        worse: evaluations since then.
        time_up: whether all workers have agreed that the time is up.
        history: one row for each epoch, as in the log.
        ended: why the training is complete; None while it is not.
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
        """Why a training in this state is complete; None if it is not."""
        if self.epoch >= settings.epochs:
            return "epochs"
        if settings.early_stop and self.worse >= settings.early_stop:
            return "early stop"
        return "time" if self.time_up else None

    def has_time(self, settings: Settings) -> bool:
        """Whether the time limit of the training is not reached."""
        return not settings.max_minutes or self.seconds < 60 * settings.max_minutes

    def add(self, result: StepResult) -> None:
        """Count a step and add up its metrics."""
        self.step += 1
        self.step_in_epoch += 1
        self.time_up = result.time_up
        if result.finite:
            self.skipped_in_row = 0
            self.rows += result.rows
            self.norms += result.norm
            self.counted += 1
            for name, value in result.sums.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
        else:
            self.skipped += 1
            # While the scale of a float16 loss can be lowered, an overflow does not mean that the model diverged.
            self.skipped_in_row += self.scale.value == 1
        self.scale = self.scale.after(result.finite)

    def improved(self, value: float, better: Literal["low", "high"]) -> bool:
        """Compare the criterion of the current epoch with the best epoch, and remember the better one."""
        if self.best_epoch and not (value < self.best_value if better == "low" else value > self.best_value):
            self.worse += 1
            return False
        self.best_epoch, self.best_value, self.worse = self.epoch + 1, value, 0
        return True

    def close_epoch(self, measured: Mapping[str, float], learning_rate: float, steps_per_epoch: int) -> None:
        """Add a row to the history, and start the sums of the next row.

        Args:
            measured: at the end of the epoch.
            learning_rate: of the last step.
            steps_per_epoch: an epoch with fewer steps is incomplete; it is counted as a fraction.
        """
        fraction = self.step_in_epoch / steps_per_epoch
        row = {
            "epoch": self.epoch + (1 if fraction >= 1 else round(fraction, 4)),
            "step": self.step,
            "time": round(time.time(), 3),
            "seconds": round(self.seconds, 3),
            "learning_rate": learning_rate,
            "gradient_norm": self.norms / max(self.counted, 1),
            "skipped": self.skipped,
            **{name: value / max(self.rows, 1) for name, value in self.sums.items()},
            **measured,
        }
        self.history.append(row)
        if fraction >= 1:
            self.epoch, self.step_in_epoch = self.epoch + 1, 0
        self.rows, self.sums, self.norms, self.counted = 0, {}, 0.0, 0

    def result(self, new_steps: int) -> Result:
        """The result of a training in this state."""
        return Result(
            reason=self.ended,
            epochs=self.epoch,
            steps=self.step,
            new_steps=new_steps,
            seconds=self.seconds,
            best_epoch=self.best_epoch,
            best_value=self.best_value,
            history=self.history,
        )

    def to_json(self) -> dict[str, Any]:
        """An object for JSON; every number is restored exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read the object of :meth:`to_json`.

        Raises:
            TrainingError: the object has other entries.
        """
        names = {one.name for one in fields(cls)}
        if not isinstance(content, dict) or content.keys() != names:
            raise TrainingError("the state in the checkpoint belongs to another version of simtool")
        return cls(**{**content, "scale": LossScale(**content["scale"])})
