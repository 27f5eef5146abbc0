"""The training step of simtool, as its training loop takes it, on the same batch again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["LEARNING_RATE", "simtool_step"]

#: The learning rate of all subjects. It is so small that the weights stay close to their initial values.
LEARNING_RATE = 1e-5


def simtool_step(task: Any, settings: Any, devices: Any, batch: dict[str, Any]) -> Callable[[], float]:
    """A function that takes one step and returns the mean loss.

    Args:
        task: a :class:`simtool.training.task.Task`.
        settings: of the training, with the size of the batch.
        devices: of :func:`simtool.training.devices.open_devices`.
        batch: of the task.
    """
    from simtool.training import data, optimizer, step

    train = step.Step(task, optimizer.Optimizer(task, settings, devices), devices, settings)
    size = settings.batch_size
    parts = data.replica_batches(batch, devices, size, fill=False, parts=settings.accumulate)
    seed, inputs = np.zeros(2, np.int32), step.StepInputs(LEARNING_RATE)
    return lambda: train.finish(train.start(parts, seed, inputs)).sums["loss"] / size
