"""The evaluation after an epoch: mean metrics on the validation set, and the health of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws, ReplicaBatch, TrainingData, replica_batches, step_seed
from simtool.training.devices import ALONE, Devices
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings
from simtool.training.task import Task, Unhealthy

__all__ = ["Evaluation"]

tf = load_tensorflow()


class Evaluation:
    """The evaluation of a task on the validation set. Each worker evaluates its part."""

    def __init__(self, task: Task, data: TrainingData, devices: Devices, settings: Settings) -> None:
        self._task, self._data, self._devices, self._settings = task, data, devices, settings
        self._names: list[str] = []
        self._graph = tf.function(self._sums, autograph=False)

    def means(self, after_batch: Callable[[], None]) -> dict[str, float]:
        """The mean of each metric over all examples of the validation set.

        ``after_batch`` is called after each batch; an exception that it raises ends the evaluation.

        Returns:
            means by name; empty if there is no validation set.
        """
        total = np.zeros(1)
        for index, batch in enumerate(self._data.validation(self._devices.worker)):
            settings = self._settings
            seed = tf.constant(step_seed(settings.seed, "validation", index))
            for share in replica_batches(batch, self._devices, settings.batch_size, True, settings.accumulate):
                total = total + np.sum([part.numpy() for part in self._graph(share, seed)], axis=0)
            after_batch()
        rows, *sums = self._devices.gathered(total).sum(axis=0)
        return {name: float(value / rows) for name, value in zip(self._names, sums, strict=False)} if rows else {}

    def criterion(self, means: Mapping[str, float]) -> float:
        """The metric that chooses the best epoch.

        Raises:
            TrainingError: the task does not evaluate it.
            Unhealthy: it is not a number.
        """
        metric = self._task.criterion.metric
        if metric not in means:
            raise TrainingError(f"the evaluation gives {', '.join(means)}, not {metric}, which chooses the best epoch")
        if np.isnan(means[metric]):
            raise Unhealthy(f"the {metric} of the validation set is not a number")
        return means[metric]

    def health(self) -> dict[str, float]:
        """Check the model on one part of a validation batch on one device.

        Returns:
            values to log, by name.

        Raises:
            Unhealthy: a worker found the model unhealthy; raised on all workers.
        """
        found: dict[str, float] = {}
        reason = ""
        batch = next(self._data.validation(ALONE), None)
        if batch is not None:
            most = -(-self._settings.batch_size // (self._devices.replicas * self._settings.accumulate))
            try:
                found = self._task.health({name: array[:most] for name, array in batch.items()})
            except Unhealthy as failure:
                reason = str(failure)
        if self._devices.gathered(np.array([float(bool(reason))])).any():
            raise Unhealthy(reason or "another worker found the model unhealthy")
        return {name: float(value) for name, value in found.items()}

    def _sums(self, share: Any, seed: Any) -> Any:
        strategy = self._devices.strategy
        return strategy.experimental_local_results(strategy.run(self._evaluate, args=(share, seed)))

    def _evaluate(self, share: ReplicaBatch, seed: Any) -> Any:
        metrics = self._task.evaluate(share.batch, Draws(seed, self._settings.batch_size, share.rows))
        self._names = sorted(metrics)
        values = [tf.cast(metrics[name], tf.float64) for name in self._names]
        sums = [tf.reduce_sum(tf.where(share.weights > 0, value, 0.0)) for value in values]
        return tf.stack([tf.cast(tf.reduce_sum(share.weights), tf.float64), *sums])
