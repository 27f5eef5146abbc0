"""The devices and workers that train together, and what they exchange beside gradients."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import clipped
from simtool.tensorflow import load_tensorflow
from simtool.training.data import ALONE, Worker
from simtool.training.errors import TrainingError
from simtool.training.slurm import cluster_from_slurm

__all__ = ["Devices", "open_devices", "worker_of"]


@dataclass(frozen=True)
class Devices:
    """Where a training runs.

    Attributes:
        strategy: of TensorFlow, which mirrors variables and adds up gradients.
        worker: this process among all that train together.
        replicas: devices, over all workers, that each take a part of every batch.
    """

    strategy: Any
    worker: Worker = ALONE
    replicas: int = 1

    @property
    def chief(self) -> bool:
        """Whether this worker is the one that writes files and talks to the terminal."""
        return self.worker.index == 0

    @property
    def local_replicas(self) -> int:
        """The devices of this worker."""
        return self.replicas // self.worker.count

    def scope(self) -> AbstractContextManager[Any]:
        """Where variables are to be made that all devices share."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def gathered(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each worker brings, on all of them; each of them has to call this.

        Args:
            values: (k,), k the same everywhere.

        Returns:
            (workers, k).
        """
        rows = np.zeros((self.worker.count, len(values)))
        rows[self.worker.index] = values
        return self._sum(rows) if self.worker.count > 1 else rows

    def barrier(self) -> None:
        """Wait until every worker has come here."""
        self.gathered(np.zeros(1))

    def part(self) -> None:
        """Wait, before leaving, until the others have received all that was exchanged; to be called by all of them.

        A worker that leaves breaks what others are still receiving. Here they do, and so it does not matter any more
        what becomes of this last exchange.
        """
        with suppress(load_tensorflow().errors.OpError):
            self.barrier()

    def _sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over workers; the first device of each speaks for it."""
        tf = load_tensorflow()
        first = self.worker.index * self.local_replicas

        def own(context: Any) -> Any:
            speaks = context.replica_id_in_sync_group == first
            return tf.constant(values if speaks else np.zeros_like(values), tf.float64)

        given = self.strategy.experimental_distribute_values_from_function(own)
        total: NDArray[np.float64] = self.strategy.experimental_local_results(self._adding(given))[0].numpy()
        return total

    @cached_property
    def _adding(self) -> Any:
        """The graph that adds up a value over all devices."""
        tf = load_tensorflow()

        def add(value: Any) -> Any:
            # The copy is made on this replica's device, which is where the exchange takes it from.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return tf.function(lambda value: self.strategy.run(add, args=(value,)), autograph=False)


def open_devices(deterministic: bool = False) -> Devices:
    """Find the devices to train on: several workers where SLURM started them, else all GPUs, else the CPU.

    To be called before TensorFlow does anything else. With several workers it waits until all of them are there.
    ``TF_CONFIG`` names workers that something else than ``srun`` has started.

    Args:
        deterministic: on GPUs, choose slower operations that give the same bits in each run; the CPU's do so anyway.

    Raises:
        TrainingError: ``TF_CONFIG`` is not what TensorFlow defines, or SLURM's variables do not fit together.
    """
    if "TF_CONFIG" not in os.environ and (cluster := cluster_from_slurm(os.environ)) is not None:
        os.environ["TF_CONFIG"] = json.dumps(cluster)
    worker = worker_of(os.environ.get("TF_CONFIG"))
    tf = load_tensorflow()
    graphics = tf.config.list_physical_devices("GPU")
    for device in graphics:
        # Otherwise the first process on a card takes all of its memory.
        tf.config.experimental.set_memory_growth(device, True)
    if deterministic and graphics:
        tf.config.experimental.enable_op_determinism()
    if worker.count > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif len(graphics) > 1:
        strategy = tf.distribute.MirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    return Devices(strategy, worker, strategy.num_replicas_in_sync)


def worker_of(text: str | None) -> Worker:
    """This process's place in the cluster of ``TF_CONFIG``."""
    if not text:
        return ALONE
    try:
        content = json.loads(text)
        count, index, kind = len(content["cluster"]["worker"]), int(content["task"]["index"]), content["task"]["type"]
    except (ValueError, KeyError, TypeError, RecursionError) as failure:
        found = clipped(" ".join(text.split()))
        raise TrainingError(
            f"TF_CONFIG should be an object with cluster.worker and task.type and .index; it is {found}"
        ) from failure
    if kind != "worker" or not 0 <= index < count:
        raise TrainingError(f"TF_CONFIG: task {kind} {index} is none of its {count} workers")
    return Worker(index, count)
