"""What is trained: the variables, their loss and what is measured on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from simtool.training.data import Batch
from simtool.training.draws import Draws

__all__ = ["Criterion", "Task", "Unhealthy"]


class Unhealthy(Exception):  # noqa: N818 - a finding about the model, which the loop turns into an error
    """The model is no longer what it should be, for example no longer invertible.

    Args:
        reason: in words that can follow "the training was stopped: ".
    """


class Criterion(NamedTuple):
    """Which of the metrics of :meth:`Task.evaluate` tells the better of two epochs.

    Attributes:
        metric: its name.
        better: whether small or large values are good.
    """

    metric: str
    better: Literal["low", "high"] = "low"


class Task(ABC):
    """A network and its loss, for the loop. Make it within ``devices.scope()``, so that its variables are shared.

    Attributes:
        variables: float32 ``keras.Variable`` that are trained, in a fixed order.
        state: ``keras.Variable`` that :meth:`loss` itself updates (moments of batch normalization); saved, not trained.
        multipliers: of the learning rate, one per variable; None for 1 everywhere.
        decayed: which variables weight decay acts on; None for those with two dimensions or more.
        criterion: which metric chooses the best epoch.
        advice: what to try where a training cannot go on.
    """

    variables: Sequence[Any]
    state: Sequence[Any] = ()
    multipliers: Sequence[float] | None = None
    decayed: Sequence[bool] | None = None
    criterion: ClassVar[Criterion] = Criterion("loss")
    advice: str = "try a lower learning rate, or clip gradients (clip_norm)"

    def initialize(self, batches: Iterator[Batch]) -> None:  # noqa: B027 - most have nothing to do
        """Set variables from data, once before the first step.

        Args:
            batches: whole global batches of the first epoch, the same on each worker.
        """

    @abstractmethod
    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        """The loss of each example, and what else to log. Traced into a graph, on each device with its own examples.

        Args:
            batch: tensors of b rows each.
            draws: random numbers of this step.

        Returns:
            (b,) float32 loss, which the loop averages over the global batch; metrics by name, (b,) each.
        """

    @abstractmethod
    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        """Metrics of each example of a validation batch, without changing any variable. Traced into a graph.

        Args:
            batch: tensors of b rows each.
            draws: random numbers, the same for this batch at each evaluation.

        Returns:
            (b,) float32 by name, the criterion's among them.
        """

    def health(self, batch: Batch) -> dict[str, float]:
        """Check the model on a validation batch after an epoch.

        Args:
            batch: arrays of b rows each.

        Returns:
            what to log, by name.

        Raises:
            Unhealthy: it makes no sense to go on.
        """
        del batch
        return {}

    def illustrate(self, folder: Path, step: int) -> None:  # noqa: B027 - not everything can be drawn
        """Draw pictures of what the model has learned.

        Args:
            folder: where they go; it exists.
            step: of the training, for their names.
        """
