"""Means of metrics over the validation set, each worker taking its part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.data import TrainingData
from simtool.training.devices import Devices
from simtool.training.seeds import step_seed
from simtool.training.settings import Settings
from simtool.training.sharing import Share, shared
from simtool.training.task import Task

__all__ = ["Evaluation"]


class Evaluation:
    """The metrics of a task on the validation set.

    Args:
        task: what is evaluated.
        data: with the validation set.
        devices: that take part.
        settings: of the training.
    """

    def __init__(self, task: Task, data: TrainingData, devices: Devices, settings: Settings) -> None:
        self._task, self._data, self._devices, self._settings = task, data, devices, settings
        self._names: list[str] = []
        self._graph = load_tensorflow().function(self._sums, autograph=False)

    def means(self, after_batch: Callable[[], None]) -> dict[str, float]:
        """Each metric's mean over all examples of the validation set.

        Args:
            after_batch: called after each batch; what it raises ends the evaluation.

        Returns:
            by name; empty where there is no validation set.
        """
        total = np.zeros(1)
        for index, batch in enumerate(self._data.validation(self._devices.worker)):
            share = shared(batch, self._devices, self._settings.batch_size, fill=True)
            total = total + self._of_batch(share, index)
            after_batch()
        rows, *sums = self._devices.gathered(total).sum(axis=0)
        return {name: float(value / rows) for name, value in zip(self._names, sums, strict=False)} if rows else {}

    def _of_batch(self, share: Any, index: int) -> NDArray[np.float64]:
        tf = load_tensorflow()
        seed = tf.constant(step_seed(self._settings.seed, "validation", index))
        total: NDArray[np.float64] = np.sum([part.numpy() for part in self._graph(share, seed)], axis=0)
        return total

    def _sums(self, share: Any, seed: Any) -> Any:
        strategy = self._devices.strategy
        return strategy.experimental_local_results(strategy.run(self._evaluate, args=(share, seed)))

    def _evaluate(self, share: Share, seed: Any) -> Any:
        tf = load_tensorflow()
        metrics = self._task.evaluate(share.batch, share.draws(seed, self._settings.batch_size))
        self._names = sorted(metrics)
        values = [tf.cast(metrics[name], tf.float64) for name in self._names]
        sums = [tf.reduce_sum(tf.where(share.weights > 0, value, 0.0)) for value in values]
        return tf.stack([tf.cast(tf.reduce_sum(share.weights), tf.float64), *sums])
