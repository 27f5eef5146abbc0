"""What comes of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simtool.training.errors import TrainingError
from simtool.training.state import Reason

__all__ = ["Diverged", "Result"]


@dataclass(frozen=True)
class Result:
    """What came of a training. The task's variables hold the weights to keep.

    Attributes:
        reason: why it ended; None where it diverged.
        epochs: that were completed.
        steps: that were taken, over all runs.
        new_steps: that were taken by this run; 0 where the training had been complete before.
        seconds: of training, over all runs.
        best_epoch: whose weights are kept; 0 where none was evaluated, and the last weights are kept.
        best_value: its value of the task's criterion.
        history: a row for each epoch, as in ``log.csv``.
    """

    reason: Reason | None
    epochs: int
    steps: int
    new_steps: int
    seconds: float
    best_epoch: int
    best_value: float
    history: list[dict[str, Any]]


class Diverged(TrainingError):  # noqa: N818 - what happened, in the word of the field
    """A training makes no sense any more.

    Attributes:
        result: not None where an earlier epoch was good; then the task's variables hold its weights.
    """

    def __init__(self, message: str, result: Result | None = None) -> None:
        super().__init__(message)
        self.result = result
