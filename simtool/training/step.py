"""One training step: the gradients of the global batch, and an update of the weights if all of them are finite.

A batch can be computed in parts, one after the other, whose gradients are added up. Each part is a call of the same
graph, so that only one part is in memory: TensorFlow would run the parts of one graph at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow, tf32
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
    """A training step over all devices."""

    def __init__(self, task: Task, optimizer: Optimizer, devices: Devices, settings: Settings) -> None:
        self._task, self._optimizer, self._devices, self._settings = task, optimizer, devices, settings
        self._names: list[str] = []
        self._gradients = self._zeros() if settings.accumulate > 1 else []
        self._differentiate: Callable[..., tuple[list[Any], Any]] = self._of_prepared
        if settings.xla:
            self._differentiate = tf.function(self._of_prepared, autograph=False, jit_compile=True)
        self._whole = tf.function(self._of_whole, autograph=False)
        self._part = tf.function(self._of_part, autograph=False)
        self._update = tf.function(self._of_parts, autograph=False)

    def start(self, parts: Sequence[Any], seed: NDArray[np.int32], inputs: StepInputs) -> Any:
        """Start a step; a GPU may still be computing when this returns.

        Args:
            parts: of the batch, see :func:`~simtool.training.data.replica_batches`; one, if batches are not computed in
                parts.
            seed: of the step, int32 (2,).
            inputs: see :class:`StepInputs`.

        Returns:
            a tensor for :meth:`finish`.
        """
        with tf32() if self._settings.precision == "tf32" else nullcontext():
            return self._started(parts, seed, inputs)

    def _started(self, parts: Sequence[Any], seed: NDArray[np.int32], inputs: StepInputs) -> Any:
        numbers = tf.constant([inputs.rate, inputs.scale, inputs.ema_decay, inputs.stop, inputs.time_up], tf.float32)
        if not self._gradients:
            (share,) = parts
            return self._whole(share, tf.constant(seed), numbers)
        before = self._state()
        sums = [
            self._part(share, tf.constant(seed), numbers, tf.constant(float(index > 0)))
            for index, share in enumerate(parts)
        ]
        return self._update(sums, before, numbers)

    def finish(self, outcome: Any) -> StepResult:
        """Wait for a started step, and return its result."""
        finite, norm, rows, stop, time_up, *sums = (float(number) for number in outcome.numpy())
        totals = dict(zip(self._names, sums, strict=True))
        return StepResult(round(rows), totals, norm, finite > 0, stop > 0, time_up > 0)

    def _of_whole(self, share: Any, seed: Any, inputs: Any) -> Any:
        """The step of a batch that is computed at once."""

        def combined(share: ReplicaBatch, seed: Any, inputs: Any) -> Any:
            return self._combined(*self._differentiated(share, seed, inputs), inputs)

        before = self._state()
        gradients, state, numbers = self._devices.strategy.run(combined, args=(share, seed, inputs))
        return self._updated(gradients, state, numbers, before, inputs)

    def _of_part(self, share: Any, seed: Any, inputs: Any, keep: Any) -> Any:
        """Add up the gradients of a part on each device.

        ``keep`` is 0 for the first part of a batch, which replaces the gradients of the batch before, else 1.

        Returns:
            the sums of the part, per replica.
        """

        def added(share: ReplicaBatch, seed: Any, inputs: Any, keep: Any) -> Any:
            gradients, sums = self._differentiated(share, seed, inputs)
            for total, gradient in zip(self._gradients, gradients, strict=True):
                with tf.control_dependencies([gradient]):  # read no earlier: the product is a copy
                    kept = tf.math.multiply_no_nan(total.value(), keep)
                total.assign(kept + gradient)
            return sums

        return self._devices.strategy.run(added, args=(share, seed, inputs, keep))

    def _of_parts(self, sums: Sequence[Any], before: Sequence[Any], inputs: Any) -> Any:
        """The update by the gradients of all parts."""

        def combined(sums: Sequence[Any], inputs: Any) -> Any:
            return self._combined([total.value() for total in self._gradients], tf.add_n(sums), inputs)

        gradients, state, numbers = self._devices.strategy.run(combined, args=(sums, inputs))
        return self._updated(gradients, state, numbers, before, inputs)

    def _updated(self, gradients: Any, state: Any, numbers: Any, before: Sequence[Any], inputs: Any) -> Any:
        """Update the weights, or restore the state from before the step if a value is not finite."""
        local = self._devices.strategy.experimental_local_results
        rate, _, ema_decay, _, _ = tf.unstack(inputs)
        # All replicas hold the same numbers here.
        factor, norm, rows, *others = tf.unstack(local(numbers)[0])
        finite = tf.math.is_finite(norm) & tf.math.is_finite(others[2])

        def update() -> Any:
            self._optimizer.apply(gradients, factor, rate, ema_decay)
            for variable, value in zip(self._task.state, state, strict=bool(state)):
                variable.assign(local(value)[0])
            return tf.constant(1.0)

        def skip() -> Any:
            for variable, value in zip(self._task.state, before, strict=True):
                variable.assign(value)
            return tf.constant(0.0)

        return tf.stack([tf.cond(finite, update, skip), norm, rows, *others])

    def _differentiated(self, share: ReplicaBatch, seed: Any, inputs: Any) -> tuple[list[Any], Any]:
        """On each device: the gradients, and the sums over its examples: of the examples, the loss, other metrics."""
        prepared = self._task.prepared(share.batch, self._draws(seed, share.rows))
        return self._differentiate(share._replace(batch=prepared), seed, inputs[1])

    def _of_prepared(self, share: ReplicaBatch, seed: Any, scale: Any) -> tuple[list[Any], Any]:
        """Differentiate the loss of prepared examples; see :meth:`_differentiated`. XLA can compile this part."""
        weights = [variable.value for variable in self._task.variables]
        with tf.GradientTape() as tape:
            losses, metrics = self._task.loss(share.batch, self._draws(seed, share.rows))
            losses = self._example_sums("loss", losses, share)
            # Divided by the size of a whole batch here, so that a scaled loss stays within float16's range.
            objective = losses * (scale / self._settings.batch_size)
        gradients = tape.gradient(objective, weights)
        self._names = ["loss", *sorted(metrics)]
        sums = [losses, *(self._example_sums(name, metrics[name], share) for name in sorted(metrics))]
        dense = [self._dense(*pair) for pair in zip(self._task.variables, gradients, strict=True)]
        return dense, tf.stack([tf.reduce_sum(share.weights), *sums])

    def _draws(self, seed: Any, rows: Any) -> Draws:
        return Draws(seed, self._settings.batch_size, rows)

    def _combined(self, gradients: list[Any], sums: Any, inputs: Any) -> tuple[list[Any], list[Any], Any]:
        """On each device: the gradients, summed over all devices; the new state; the numbers of the result."""
        settings = self._settings
        _, scale, _, *requests = tf.unstack(inputs)
        rows, *metrics = tf.unstack(sums)
        numbers = self._total(tf.stack([rows, *requests, *metrics]))
        gradients = self._total(gradients)
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
        # The exchange reads from this replica's device; the value of a variable has no device.
        values = tf.nest.map_structure(tf.identity, values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def _agreed_state(self) -> list[Any]:
        """The mean over devices of the state that each device computed; empty if there is one device."""
        # The exchange reads from this replica's device, so the state is copied to it.
        state = self._state()
        if self._devices.replicas == 1 or not state:
            return []
        mean: list[Any] = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, state)
        return mean

    def _state(self) -> list[Any]:
        """A copy of the state of the task."""
        return [tf.identity(variable.value) for variable in self._task.state]

    def _zeros(self) -> list[Any]:
        """On each device a variable for the gradients of each weight."""
        with self._devices.scope():
            return [
                tf.Variable(
                    tf.zeros(weight.shape),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )
                for weight in self._task.variables
            ]

    @staticmethod
    def _dense(variable: Any, gradient: Any) -> Any:
        if gradient is None:
            raise TrainingError(f"the loss does not depend on {variable.path}; remove it from the trained variables")
        return tf.convert_to_tensor(gradient)
