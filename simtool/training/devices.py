"""The devices and workers that train together, and the values that they exchange in addition to gradients."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.device import Device, open_device
from simtool.errors import clipped, listed
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings
from simtool.training.slurm import cluster_from_slurm

__all__ = ["ALONE", "Devices", "Worker", "check_memory", "open_devices", "smaller_batches", "worker_of"]


@dataclass(frozen=True)
class Worker:
    """One of several processes that train together.

    Attributes:
        index: from 0.
        count: how many workers there are.
    """

    index: int
    count: int


#: The only worker of a training in one process.
ALONE = Worker(0, 1)


@dataclass(frozen=True)
class Devices:
    """The devices of a training.

    Attributes:
        strategy: of TensorFlow; it mirrors variables and adds up gradients.
        worker: this process among all workers.
        replicas: devices of all workers; each device takes a part of every batch.
        device: of this process; None if it is not known.
    """

    strategy: Any
    worker: Worker = ALONE
    replicas: int = 1
    device: Device | None = None

    @property
    def chief(self) -> bool:
        """Whether this worker writes the files and talks to the terminal."""
        return self.worker.index == 0

    @property
    def local_replicas(self) -> int:
        """The number of devices of this worker."""
        return self.replicas // self.worker.count

    def words(self, computation: str, memory: bool = True) -> str:
        """The devices of all workers in one line; see :meth:`Device.words`."""
        workers = f"{self.worker.count:,} workers, each with " if self.worker.count > 1 else ""
        return "" if self.device is None else workers + self.device.words(computation, memory)

    def scope(self) -> AbstractContextManager[Any]:
        """The context in which to create variables that all devices share."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def gathered(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values of all workers, on every worker. Every worker must call this, with the same number of values.

        Returns:
            (workers, k).
        """
        rows = np.zeros((self.worker.count, len(values)))
        rows[self.worker.index] = values
        return self._sum(rows) if self.worker.count > 1 else rows

    def barrier(self) -> None:
        """Wait until every worker has reached this point."""
        self.gathered(np.zeros(1))

    def shutdown_barrier(self) -> None:
        """Wait before this process ends. Every worker must call this.

        A worker that ends breaks the exchange that other workers are still receiving. The last exchange is this
        barrier, and its failure does no harm.
        """
        with suppress(load_tensorflow().errors.OpError):
            self.barrier()

    def _sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over workers. The first device of each worker contributes the worker's values."""
        tf = load_tensorflow()
        first = self.worker.index * self.local_replicas

        def own(context: Any) -> Any:
            contributes = context.replica_id_in_sync_group == first
            return tf.constant(values if contributes else np.zeros_like(values), tf.float64)

        given = self.strategy.experimental_distribute_values_from_function(own)
        total: NDArray[np.float64] = self.strategy.experimental_local_results(self._adding(given))[0].numpy()
        return total

    @cached_property
    def _adding(self) -> Any:
        """The graph that adds up a value over all devices."""
        tf = load_tensorflow()

        def add(value: Any) -> Any:
            # The exchange reads from this replica's device, so the value is copied to it.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return tf.function(lambda value: self.strategy.run(add, args=(value,)), autograph=False)


def open_devices(device: Device | None = None, halves: bool = False) -> Devices:
    """Find the devices to train on: several workers if SLURM started them, otherwise all GPUs, otherwise the CPU.

    Call this before TensorFlow computes anything. With several workers it waits until all of them are there.
    ``TF_CONFIG`` names workers that a program other than ``srun`` has started.

    Args:
        device: of this process; None for :func:`open_device` without a choice.
        halves: let each operation on a CPU use half of the cores, for a task that computes two halves of a batch at
            the same time.

    Raises:
        TrainingError: ``TF_CONFIG`` does not follow TensorFlow's definition, SLURM's variables are inconsistent, or
            the workers have different numbers of GPUs.
        DeviceError: raised by :func:`open_device`.
    """
    if "TF_CONFIG" not in os.environ and (cluster := cluster_from_slurm(os.environ)) is not None:
        os.environ["TF_CONFIG"] = json.dumps(cluster)
    worker = worker_of(os.environ.get("TF_CONFIG"))
    device = device or open_device()
    if halves and not device.gpus:
        _limit_threads(max(1, available_cores() // 2))
    tf = load_tensorflow()
    if worker.count > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif len(device.gpus) > 1:
        strategy = tf.distribute.MirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    _check_same_gpus(len(device.gpus), worker)
    return Devices(strategy, worker, strategy.num_replicas_in_sync, device)


def _check_same_gpus(count: int, worker: Worker) -> None:
    """Refuse workers with different numbers of GPUs, which TensorFlow takes to be equal without a check.

    Every worker must call this after the strategy has connected them, and each of them raises the same error.

    Args:
        count: the GPUs of this worker.
        worker: this process.

    Raises:
        TrainingError: the numbers differ.
    """
    if worker.count == 1:
        return
    from tensorflow.python.eager import context

    # The first worker holds the values that all share; a collective operation would need equal devices already.
    shared, workers = context.context(), range(worker.count)
    shared.set_config_key_value(f"simtool/gpus/{worker.index}", str(count))
    counts = [int(shared.get_config_key_value(f"simtool/gpus/{index}")) for index in workers]
    with suppress(load_tensorflow().errors.OpError):  # the first worker may end before it answers
        shared.set_config_key_value(f"simtool/gpus/{worker.index}/read", "")
    if worker.index == 0:  # it must not end before the others have read
        for index in workers:
            shared.get_config_key_value(f"simtool/gpus/{index}/read")
    if len(set(counts)) > 1:
        raise TrainingError(
            f"the workers have different numbers of GPUs ({listed(counts)}); every node needs as many, "
            "for example with --gres=gpu:1"
        )


def _limit_threads(count: int) -> None:
    """Limit the threads of an operation, unless TensorFlow has started its threads already."""
    with suppress(RuntimeError):
        load_tensorflow().config.threading.set_intra_op_parallelism_threads(count)


def worker_of(text: str | None) -> Worker:
    """This process among the workers that ``TF_CONFIG`` lists.

    Raises:
        TrainingError: the text does not follow TensorFlow's definition.
    """
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
        raise TrainingError(f"TF_CONFIG: task {kind} {index} is not one of its {count} workers")
    return Worker(index, count)


def check_memory(options: Iterable[tuple[str, int]], available: int | None, otherwise: str) -> None:
    """Refuse a training that does not fit in memory.

    Args:
        options: options of the command, and the bytes that each of them needs: first the options of this training, then
            those that need less memory, the most useful first.
        available: bytes that are free; None if unknown.
        otherwise: the advice if none of the options fits.

    Raises:
        TrainingError: the training does not fit; the message says which options fit.
    """
    (_, needed), *smaller = options
    if available is None or needed <= available:
        return
    fitting = next((f"{option} would fit" for option, size in smaller if size <= available), otherwise)
    raise TrainingError(
        f"this training needs about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free; {fitting}"
    )


def smaller_batches(settings: Settings, least: int = 1) -> Iterator[tuple[str, Settings]]:
    """The settings of a training, then settings that need less memory, each with its options.

    First batches in more parts, which change the weights the least, then smaller batches.

    Args:
        settings: of the training.
        least: the least number of images of a part.
    """
    size, parts = settings.batch_size, settings.accumulate
    yield _options(settings)
    for count in range(parts + 1, size // least + 1):
        if size % count == 0:
            yield _options(settings.changed(accumulate=count))
    for halvings in range(1, size.bit_length()):
        yield _options(settings.changed(batch_size=size >> halvings, accumulate=1))


def _options(settings: Settings) -> tuple[str, Settings]:
    parts = f" --accumulate {settings.accumulate}" if settings.accumulate > 1 else ""
    return f"--batch-size {settings.batch_size}{parts}", settings
