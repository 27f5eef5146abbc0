"""A task: the network that is trained, its loss and its metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from simtool.training.data import Batch, Draws
from simtool.training.devices import Devices
from simtool.training.outcome import TrainingError

__all__ = ["Criterion", "Task", "Unhealthy", "check_xla"]


class Unhealthy(Exception):  # noqa: N818 - the loop turns it into an error
    """The model has lost a property that it needs, for example it is not invertible any more.

    Args:
        reason: words that can follow "the training was stopped: ".
    """


class Criterion(NamedTuple):
    """The metric of :meth:`Task.evaluate` that chooses the best epoch.

    Attributes:
        metric: its name.
        better: whether low or high values are better.
    """

    metric: str
    better: Literal["low", "high"] = "low"


class Task(ABC):
    """A network and its loss. Create it within ``devices.scope()``, so that the devices share its variables.

    Attributes:
        variables: the trained float32 ``keras.Variable``, in a fixed order.
        state: ``keras.Variable`` that :meth:`loss` updates (moments of batch normalization); saved, not trained.
        multipliers: of the learning rate, one per variable; None for 1.
        decayed: whether weight decay acts on each variable; None for variables with two dimensions or more.
        criterion: the metric that chooses the best epoch.
        random_loss: whether :meth:`loss` draws random numbers itself, which are others with XLA.
        advice: what to try after a training diverged.
    """

    variables: Sequence[Any]
    state: Sequence[Any] = ()
    multipliers: Sequence[float] | None = None
    decayed: Sequence[bool] | None = None
    criterion: ClassVar[Criterion] = Criterion("loss")
    random_loss: bool = False
    advice: str = "try a lower learning rate, or clip gradients (clip_norm)"

    def initialize(self, batches: Iterator[Batch]) -> None:  # noqa: B027 - most have nothing to do
        """Initialise variables from data, once before the first step.

        The batches are those of the first epoch, the same on each worker; whole global batches, or parts of them that
        fit in memory.
        """

    def prepared(self, batch: Mapping[str, Any], draws: Draws) -> Mapping[str, Any]:
        """The examples as :meth:`loss` takes them: augmented, with noise. XLA does not compile this.

        Args:
            batch: tensors of b rows each.
            draws: random numbers of this step.
        """
        del draws
        return batch

    @abstractmethod
    def loss(self, batch: Mapping[str, Any], draws: Draws) -> tuple[Any, dict[str, Any]]:
        """The loss of each example, and other metrics to log. Traced into a graph; each device has its own examples.

        Args:
            batch: of :meth:`prepared`.
            draws: random numbers of this step.

        Returns:
            (b,) float32 loss, which the loop averages over the global batch; metrics by name, (b,) each.
        """

    @abstractmethod
    def evaluate(self, batch: Mapping[str, Any], draws: Draws) -> dict[str, Any]:
        """Metrics of each example of a validation batch. Changes no variable. Traced into a graph.

        Args:
            batch: tensors of b rows each.
            draws: random numbers, the same for this batch at each evaluation.

        Returns:
            (b,) float32 by name, including the criterion.
        """

    def health(self, batch: Batch) -> dict[str, float]:
        """Check the model on a validation batch after an epoch (arrays of b rows each).

        Returns:
            values to log, by name.

        Raises:
            Unhealthy: the training must stop.
        """
        del batch
        return {}

    def illustrate(self, folder: Path, step: int) -> None:  # noqa: B027 - not everything can be drawn
        """Draw sample images into a folder that exists; the step is for the file names."""


def check_xla(task: Task, devices: Devices) -> None:
    """Refuse XLA where it cannot compile the network, or would change more than the last bits."""
    reason = ""
    if devices.replicas > 1 and task.state:
        reason = f"XLA cannot compile batch normalization over {devices.replicas} devices"
    if task.random_loss:
        reason = "XLA draws other random numbers for dropout"
    if reason:
        raise TrainingError(f"{reason}; train this network with --no-xla")
