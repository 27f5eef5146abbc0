"""A worker's part of a batch, split over its devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from simtool.training.data import Batch
from simtool.training.devices import Devices
from simtool.training.draws import Draws
from simtool.training.errors import TrainingError

__all__ = ["Share", "check_even", "rows_of", "shared"]


class Share(NamedTuple):
    """One device's part of a global batch.

    Attributes:
        batch: tensors of b rows.
        weights: float32 (b,), 1 for an example and 0 for what fills up.
        rows: int32 (b,), the examples' places in the global batch.
    """

    batch: Mapping[str, Any]
    weights: Any
    rows: Any

    def draws(self, seed: Any, batch_size: int) -> Draws:
        """Random numbers for these examples.

        Args:
            seed: int32 (2,), of the step.
            batch_size: of the global batch.
        """
        return Draws(seed, batch_size, self.rows)


def rows_of(batch: Batch) -> int:
    """How many examples a batch has.

    Raises:
        TrainingError: its arrays do not agree, or there are none.
    """
    lengths = {name: len(array) for name, array in batch.items()}
    if len(set(lengths.values())) != 1:
        raise TrainingError(f"a batch needs arrays of one length, not {lengths or 'none'}")
    return next(iter(lengths.values()))


def check_even(batch_size: int, devices: Devices) -> None:
    """Refuse what would need filling up, where examples affect each other (by batch normalization).

    Args:
        batch_size: of a global batch.
        devices: of all workers.

    Raises:
        TrainingError: the devices cannot have the same number of examples each.
    """
    if batch_size % devices.replicas:
        raise TrainingError(
            f"{devices.replicas} devices cannot share batches of {batch_size} evenly, which batch normalization needs"
        )


def shared(batch: Batch, devices: Devices, batch_size: int, fill: bool) -> Any:
    """Split a worker's rows over its devices: device i of m gets rows i, i + m, i + 2m and so on.

    Where the devices are several, each gets the same number of rows, since all have to run the same graph; the last
    ones may be there to fill up, with weight 0.

    Args:
        batch: of this worker.
        devices: of all workers.
        batch_size: of a global batch.
        fill: fill up for a single device, too, which saves tracing another graph for a short batch; examples that
            affect each other (by batch normalization) then see what fills up.

    Returns:
        a :class:`Share`, or one per replica.

    Raises:
        TrainingError: the arrays do not agree, or hold more rows than the worker's part of a batch.
    """
    count, local = rows_of(batch), devices.local_replicas
    most = -(-batch_size // devices.replicas)
    if count > most * local:
        raise TrainingError(
            f"a batch has {count} rows for {local} devices; batch_size {batch_size} gives {most} to each"
        )
    length = most if fill or devices.replicas > 1 else count

    def of(device: int) -> Share:
        own = np.arange(device, count, local)
        place = (devices.worker.index + devices.worker.count * np.arange(device, length * local, local)) % batch_size
        return _share(batch, own, length, place.astype(np.int32))

    if local == 1:
        return of(0)
    first = devices.worker.index * local
    return devices.strategy.experimental_distribute_values_from_function(
        lambda context: of(context.replica_id_in_sync_group - first)
    )


def _share(batch: Batch, own: NDArray[np.intp], length: int, place: NDArray[np.int32]) -> Share:
    tf = load_tensorflow()
    weights = (np.arange(length) < len(own)).astype(np.float32)
    return Share(
        {name: tf.constant(_filled(np.asarray(array), own, length)) for name, array in batch.items()},
        tf.constant(weights),
        tf.constant(place),
    )


def _filled(array: NDArray[Any], own: NDArray[np.intp], length: int) -> NDArray[Any]:
    """Some rows, repeated up to a length; zeros where there are none."""
    if not len(own):
        return np.zeros((length, *array.shape[1:]), array.dtype)
    if len(own) == len(array) == length:
        return array
    return array[np.resize(own, length)]
