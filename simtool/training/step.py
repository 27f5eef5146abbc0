"""One step: gradients of the global batch, and the update that they ask for if all of them are finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.devices import Devices
from simtool.training.errors import TrainingError
from simtool.training.optimizer import Optimizer, clipped
from simtool.training.settings import Settings
from simtool.training.sharing import Share
from simtool.training.task import Task

__all__ = ["Controls", "Step", "Taken"]


@dataclass(frozen=True)
class Controls:
    """What the host decides for one step.

    Attributes:
        rate: the learning rate.
        scale: what the loss is multiplied by on the way back.
        mean_decay: the share of the running mean of weights that is kept.
        stop: whether this worker wants all of them to stop after the step.
        time_up: whether its time is up.
    """

    rate: float
    scale: float = 1.0
    mean_decay: float = 0.0
    stop: bool = False
    time_up: bool = False


@dataclass(frozen=True)
class Taken:
    """What came of a step; the same on every worker.

    Attributes:
        rows: examples of the global batch.
        sums: of each metric over them, ``loss`` first.
        norm: of the gradient of the mean loss, before it was clipped.
        finite: whether the weights were updated.
        stop: whether any worker wants to stop.
        time_up: whether the time of any worker is up.
    """

    rows: int
    sums: dict[str, float]
    norm: float
    finite: bool
    stop: bool
    time_up: bool


class Step:
    """A training step as one graph, over all devices.

    Args:
        task: what is trained.
        optimizer: of its variables.
        devices: that the batch is split over.
        settings: of the training.
    """

    def __init__(self, task: Task, optimizer: Optimizer, devices: Devices, settings: Settings) -> None:
        self._task, self._optimizer, self._devices, self._settings = task, optimizer, devices, settings
        self._names: list[str] = []
        self._graph = load_tensorflow().function(self._step, autograph=False)

    def start(self, share: Any, seed: NDArray[np.int32], controls: Controls) -> Any:
        """Start a step; a GPU may still be at work when this returns.

        Args:
            share: a :class:`Share`, or one per replica.
            seed: int32 (2,), of the step.
            controls: of the step.

        Returns:
            what :meth:`finish` waits for.
        """
        tf = load_tensorflow()
        numbers = [controls.rate, controls.scale, controls.mean_decay, controls.stop, controls.time_up]
        return self._graph(share, tf.constant(seed), tf.constant(numbers, tf.float32))

    def finish(self, outcome: Any) -> Taken:
        """Wait for a step that was started, and say what came of it."""
        finite, norm, rows, stop, time_up, *sums = (float(number) for number in outcome.numpy())
        return Taken(round(rows), dict(zip(self._names, sums, strict=True)), norm, finite > 0, stop > 0, time_up > 0)

    def _step(self, share: Any, seed: Any, controls: Any) -> Any:
        tf = load_tensorflow()
        strategy = self._devices.strategy
        rate, _, mean_decay, _, _ = tf.unstack(controls)
        before = [tf.identity(variable.value) for variable in self._task.state]
        gradients, state, numbers = strategy.run(self._differentiate, args=(share, seed, controls))
        # All replicas hold the same numbers by now.
        factor, norm, rows, *others = tf.unstack(strategy.experimental_local_results(numbers)[0])
        finite = tf.math.is_finite(norm) & tf.math.is_finite(others[2])

        def update() -> Any:
            self._optimizer.apply(gradients, factor, rate, mean_decay)
            for variable, value in zip(self._task.state, state, strict=bool(state)):
                variable.assign(strategy.experimental_local_results(value)[0])
            return tf.constant(1.0)

        def skip() -> Any:
            for variable, value in zip(self._task.state, before, strict=True):
                variable.assign(value)
            return tf.constant(0.0)

        return tf.stack([tf.cond(finite, update, skip), norm, rows, *others])

    def _differentiate(self, share: Share, seed: Any, controls: Any) -> tuple[list[Any], list[Any], Any]:
        """On each device: its part of the gradients, added up over all; what the state should be; numbers to report."""
        tf = load_tensorflow()
        settings, weights = self._settings, [variable.value for variable in self._task.variables]
        _, scale, _, *wishes = tf.unstack(controls)
        with tf.GradientTape() as tape:
            losses, metrics = self._task.loss(share.batch, share.draws(seed, settings.batch_size))
            losses = self._example_sums("loss", losses, share)
            # Divided by the size of a whole batch already here, so that a scaled loss stays within float16's range.
            objective = losses * (scale / settings.batch_size)
        gradients = tape.gradient(objective, weights)
        self._names = ["loss", *sorted(metrics)]
        sums = [losses, *(self._example_sums(name, metrics[name], share) for name in sorted(metrics))]
        numbers = self._total(tf.stack([tf.reduce_sum(share.weights), *wishes, *sums]))
        gradients = self._total([self._dense(*pair) for pair in zip(self._task.variables, gradients, strict=True)])
        factor = settings.batch_size / numbers[0] / scale
        norm = tf.linalg.global_norm(gradients) * factor
        gradients, factor = clipped(gradients, factor, norm, settings.clip_value, settings.clip_norm)
        return gradients, self._agreed_state(), tf.concat([[factor, norm], numbers], 0)

    def _example_sums(self, name: str, values: Any, share: Share) -> Any:
        """The sum of a metric over the examples of a device, without what fills up."""
        tf = load_tensorflow()
        values = tf.convert_to_tensor(values)
        if values.shape.rank != 1:
            raise TrainingError(f"{name} should have one value per example, not the shape {values.shape}")
        return tf.reduce_sum(tf.where(share.weights > 0, tf.cast(values, tf.float32), 0.0))

    def _total(self, values: Any) -> Any:
        """The sum over all devices."""
        tf = load_tensorflow()
        if self._devices.replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def _agreed_state(self) -> list[Any]:
        """The mean over devices of what each has made of the state; nothing where there is one device."""
        tf = load_tensorflow()
        # Copies are made on this replica's device, which is where the exchange takes them from.
        state = [tf.identity(variable.value) for variable in self._task.state]
        if self._devices.replicas == 1 or not state:
            return []
        mean: list[Any] = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, state)
        return mean

    @staticmethod
    def _dense(variable: Any, gradient: Any) -> Any:
        if gradient is None:
            raise TrainingError(f"the loss does not depend on {variable.path}; leave it out of what is trained")
        return load_tensorflow().convert_to_tensor(gradient)
