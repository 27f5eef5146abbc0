"""The data of a training: its batches, the part of a batch on each device, and the random numbers of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.devices import Devices, Worker
from simtool.training.outcome import TrainingError

__all__ = ["Batch", "Draws", "ReplicaBatch", "TrainingData", "check_even", "in_parts", "replica_batches", "step_seed"]

#: Arrays by name, with one row per example in each: ``image`` (b, height, width, 3), ``label`` (b,) int32.
Batch = Mapping[str, NDArray[Any]]
_STREAMS = {"training": 0, "validation": 1}


class TrainingData(Protocol):
    """Examples for training and validation.

    All workers together take one step on a *global* batch. Worker r of n gets its rows r, r + n, r + 2n, …
    (``array[r::n]``). A worker without rows gets arrays of 0 rows, so that every worker sees the same number of
    batches.

    Attributes:
        steps_per_epoch: the number of global batches of an epoch.
    """

    steps_per_epoch: int

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the global batches ``start``, …, ``steps_per_epoch`` - 1 of an epoch (from 0).

        The batches depend only on the data's seed, the epoch and the step, so a later start skips batches and changes
        none. Only the last global batch of an epoch may be shorter than the others.
        """

    def validation(self, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the global validation batches, the same at every call; none without a validation set."""


def step_seed(seed: int, stream: Literal["training", "validation"], step: int) -> NDArray[np.int32]:
    """A seed for TensorFlow's stateless random numbers; it depends only on the arguments.

    Args:
        seed: of the training, not negative.
        stream: the use of the random numbers.
        step: of the training, or the index of the validation batch.

    Returns:
        int32 (2,).
    """
    return np.random.SeedSequence((seed, _STREAMS[stream], step)).generate_state(2).view(np.int32)


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step. They do not depend on how the batch is split over devices and workers.

    Each example has the numbers of its position in the global batch. Draws have no state: two calls give the same
    numbers; :meth:`fold` gives different numbers.

    Attributes:
        seed: int32 (2,), of this step; the same for all devices and workers.
        total: examples of a whole global batch.
        rows: int32 (b,), the positions of the examples in the global batch.
    """

    seed: Any
    total: int
    rows: Any

    def fold(self, number: int) -> Draws:
        """Different draws, for another use within the same step."""
        tf = load_tensorflow()
        return replace(self, seed=tf.random.experimental.stateless_fold_in(self.seed, number))

    def uniform(self, shape: Sequence[int] = ()) -> Any:
        """(b, *shape) float32, uniform in [0, 1); ``shape`` is that of one example."""
        tf = load_tensorflow()
        return tf.gather(tf.random.stateless_uniform([self.total, *shape], self.seed), self.rows)

    def normal(self, shape: Sequence[int] = ()) -> Any:
        """(b, *shape) float32, of the standard normal distribution; ``shape`` is that of one example."""
        tf = load_tensorflow()
        return tf.gather(tf.random.stateless_normal([self.total, *shape], self.seed), self.rows)


class ReplicaBatch(NamedTuple):
    """The part of a global batch on one device.

    Attributes:
        batch: tensors of b rows.
        weights: float32 (b,), 1 for an example and 0 for padding.
        rows: int32 (b,), the positions of the examples in the global batch.
    """

    batch: Mapping[str, Any]
    weights: Any
    rows: Any


def check_even(rows: int, batch_size: int, devices: Devices, parts: int = 1) -> None:
    """Refuse batches that need padding. With batch normalization, the examples of a part affect each other.

    Args:
        rows: of every batch: fewer than ``batch_size`` if there are fewer examples.
        batch_size: that the batches are divided by.
        devices: that share each batch.
        parts: of a batch.

    Raises:
        TrainingError: the devices or the parts would have different numbers of examples.
    """
    shares = devices.replicas * parts
    if rows % shares or (shares > 1 and rows < batch_size):
        of_each = f", each in {parts} parts," if parts > 1 else ""
        most = f", up to {rows}, the number of training images" if rows < batch_size else ""
        raise TrainingError(
            f"{devices.replicas} devices{of_each} cannot share batches of {batch_size} evenly, which batch "
            f"normalization needs; use a --batch-size that is a multiple of {shares}{most}"
        )


def in_parts(batches: Iterator[Batch], parts: int) -> Iterator[Batch]:
    """Divide each batch into parts of consecutive rows."""
    for batch in batches:
        length = max(1, -(-_rows(batch) // parts))
        for start in range(0, _rows(batch), length):
            yield {name: array[start : start + length] for name, array in batch.items()}


def replica_batches(batch: Batch, devices: Devices, batch_size: int, fill: bool, parts: int = 1) -> list[Any]:
    """Split a worker's rows over its devices: device i of m gets rows i, i + m, i + 2m and so on.

    Several devices run the same graph, so each of them gets the same number of rows. The last rows may be padding,
    with weight 0. The rows of each device are divided further, in their order, into parts of the batch.

    Args:
        batch: of this worker.
        devices: of all workers.
        batch_size: of a global batch.
        fill: pad a short batch on a single device too, which avoids tracing another graph. Examples that affect each
            other (by batch normalization) then see the padding.
        parts: of a whole batch. A short batch has fewer parts, or a short last part.

    Returns:
        for each part a :class:`ReplicaBatch`, or one for each replica.

    Raises:
        TrainingError: the arrays have different lengths, or more rows than the worker's part of a batch.
    """
    tf, count, local = load_tensorflow(), _rows(batch), devices.local_replicas
    most = -(-batch_size // devices.replicas)
    if count > most * local:
        raise TrainingError(
            f"a batch has {count} rows for {local} devices; batch_size {batch_size} gives {most} to each"
        )
    length, longest = most if fill or devices.replicas > 1 else count, -(-most // parts)

    def of(device: int, rows: slice) -> ReplicaBatch:
        own = np.arange(device, count, local)[rows]
        all_rows = np.arange(device, length * local, local)[rows]
        place = (devices.worker.index + devices.worker.count * all_rows) % batch_size
        return ReplicaBatch(
            {name: tf.constant(_padded(np.asarray(array), own, len(place))) for name, array in batch.items()},
            tf.constant((np.arange(len(place)) < len(own)).astype(np.float32)),
            tf.constant(place.astype(np.int32)),
        )

    def share(rows: slice) -> Any:
        if local == 1:
            return of(0, rows)
        first = devices.worker.index * local
        return devices.strategy.experimental_distribute_values_from_function(
            lambda context: of(context.replica_id_in_sync_group - first, rows)
        )

    return [share(slice(start, min(start + longest, length))) for start in range(0, max(length, 1), longest)]


def _rows(batch: Batch) -> int:
    """The number of examples of a batch."""
    lengths = {name: len(array) for name, array in batch.items()}
    if len(set(lengths.values())) != 1:
        raise TrainingError(f"a batch needs arrays of one length, not {lengths or 'none'}")
    return next(iter(lengths.values()))


def _padded(array: NDArray[Any], own: NDArray[np.intp], length: int) -> NDArray[Any]:
    """Some rows, repeated up to a length; zeros if there are no rows."""
    if not len(own):
        return np.zeros((length, *array.shape[1:]), array.dtype)
    if len(own) == len(array) == length:
        return array
    return array[np.resize(own, length)]
