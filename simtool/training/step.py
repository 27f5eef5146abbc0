"""One training step: the gradients of the global batch, and an update of the weights if all of them are finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws, ReplicaBatch
from simtool.training.devices import Devices
from simtool.training.optimizer import Optimizer, clipped
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings
from simtool.training.task import Task

__all__ = ["Step", "StepInputs", "StepResult"]

tf = load_tensorflow()


@dataclass(frozen=True)
class StepInputs:
    """The numbers of one step that the host decides.

    Attributes:
        rate: the learning rate.
        scale: the factor of the loss in the backward pass.
        ema_decay: the share of the moving average of weights that is kept.
        stop: whether this worker asks all workers to stop after the step.
        time_up: whether the time of this worker is up.
    """

    rate: float
    scale: float = 1.0
    ema_decay: float = 0.0
    stop: bool = False
    time_up: bool = False


@dataclass(frozen=True)
class StepResult:
    """The result of a step; the same on every worker.

    Attributes:
        rows: examples of the global batch.
        sums: of each metric over these examples, ``loss`` first.
        norm: of the gradient of the mean loss, before clipping.
        finite: whether the weights were updated.
        stop: whether any worker asks to stop.
        time_up: whether the time of any worker is up.
    """

    rows: int
    sums: dict[str, float]
    norm: float
    finite: bool
    stop: bool
    time_up: bool


class Step:
    """A training step as one graph, over all devices."""

    def __init__(self, task: Task, optimizer: Optimizer, devices: Devices, settings: Settings) -> None:
        self._task, self._optimizer, self._devices, self._settings = task, optimizer, devices, settings
        self._names: list[str] = []
        self._graph = tf.function(self._step, autograph=False)

    def start(self, share: Any, seed: NDArray[np.int32], inputs: StepInputs) -> Any:
        """Start a step; a GPU may still be computing when this returns.

        ``share`` is a :class:`ReplicaBatch`, or one for each replica; the seed of the step is int32 (2,).

        Returns:
            a tensor for :meth:`finish`.
        """
        numbers = [inputs.rate, inputs.scale, inputs.ema_decay, inputs.stop, inputs.time_up]
        return self._graph(share, tf.constant(seed), tf.constant(numbers, tf.float32))

    def finish(self, outcome: Any) -> StepResult:
        """Wait for a started step, and return its result."""
        finite, norm, rows, stop, time_up, *sums = (float(number) for number in outcome.numpy())
        totals = dict(zip(self._names, sums, strict=True))
        return StepResult(round(rows), totals, norm, finite > 0, stop > 0, time_up > 0)

    def _step(self, share: Any, seed: Any, inputs: Any) -> Any:
        strategy = self._devices.strategy
        rate, _, ema_decay, _, _ = tf.unstack(inputs)
        before = [tf.identity(variable.value) for variable in self._task.state]
        gradients, state, numbers = strategy.run(self._differentiate, args=(share, seed, inputs))
        # All replicas hold the same numbers here.
        factor, norm, rows, *others = tf.unstack(strategy.experimental_local_results(numbers)[0])
        finite = tf.math.is_finite(norm) & tf.math.is_finite(others[2])

        def update() -> Any:
            self._optimizer.apply(gradients, factor, rate, ema_decay)
            for variable, value in zip(self._task.state, state, strict=bool(state)):
                variable.assign(strategy.experimental_local_results(value)[0])
            return tf.constant(1.0)

        def skip() -> Any:
            for variable, value in zip(self._task.state, before, strict=True):
                variable.assign(value)
            return tf.constant(0.0)

        return tf.stack([tf.cond(finite, update, skip), norm, rows, *others])

    def _differentiate(self, share: ReplicaBatch, seed: Any, inputs: Any) -> tuple[list[Any], list[Any], Any]:
        """On each device: the gradients, summed over all devices; the new state; the numbers of the result."""
        settings, weights = self._settings, [variable.value for variable in self._task.variables]
        _, scale, _, *requests = tf.unstack(inputs)
        with tf.GradientTape() as tape:
            losses, metrics = self._task.loss(share.batch, Draws(seed, settings.batch_size, share.rows))
            losses = self._example_sums("loss", losses, share)
            # Divided by the size of a whole batch here, so that a scaled loss stays within float16's range.
            objective = losses * (scale / settings.batch_size)
        gradients = tape.gradient(objective, weights)
        self._names = ["loss", *sorted(metrics)]
        sums = [losses, *(self._example_sums(name, metrics[name], share) for name in sorted(metrics))]
        numbers = self._total(tf.stack([tf.reduce_sum(share.weights), *requests, *sums]))
        gradients = self._total([self._dense(*pair) for pair in zip(self._task.variables, gradients, strict=True)])
        factor = settings.batch_size / numbers[0] / scale
        norm = tf.linalg.global_norm(gradients) * factor
        gradients, factor = clipped(gradients, factor, norm, settings.clip_value, settings.clip_norm)
        return gradients, self._agreed_state(), tf.concat([[factor, norm], numbers], 0)

    def _example_sums(self, name: str, values: Any, share: ReplicaBatch) -> Any:
        """The sum of a metric over the examples of a device, without padding."""
        values = tf.convert_to_tensor(values)
        if values.shape.rank != 1:
            raise TrainingError(f"{name} should have one value per example, not the shape {values.shape}")
        return tf.reduce_sum(tf.where(share.weights > 0, tf.cast(values, tf.float32), 0.0))

    def _total(self, values: Any) -> Any:
        """The sum over all devices."""
        if self._devices.replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def _agreed_state(self) -> list[Any]:
        """The mean over devices of the state that each device computed; empty if there is one device."""
        # The exchange reads from this replica's device, so the state is copied to it.
        state = [tf.identity(variable.value) for variable in self._task.state]
        if self._devices.replicas == 1 or not state:
            return []
        mean: list[Any] = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, state)
        return mean

    @staticmethod
    def _dense(variable: Any, gradient: Any) -> Any:
        if gradient is None:
            raise TrainingError(f"the loss does not depend on {variable.path}; remove it from the trained variables")
        return tf.convert_to_tensor(gradient)
