"""What the loop asks of its data: the same batches in the same order, from any step on, split over workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["ALONE", "Batch", "TrainingData", "Worker"]

#: Arrays by name, with one row per example in each: ``image`` (b, height, width, 3), ``label`` (b,) int32.
Batch = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Worker:
    """One of several processes that train together.

    Attributes:
        index: from 0.
        count: how many there are.
    """

    index: int
    count: int


#: The only worker.
ALONE = Worker(0, 1)


class TrainingData(Protocol):
    """Examples to train on and to validate with.

    A *global* batch is what all workers together take one step on. Worker r of n gets its rows r, r + n, r + 2n, …
    (``array[r::n]``), which may be none: then arrays of 0 rows, so that every worker sees the same count of batches.

    Attributes:
        steps_per_epoch: how many global batches an epoch has.
    """

    steps_per_epoch: int

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the global batches ``start``, …, ``steps_per_epoch`` - 1 of an epoch.

        They depend on the data's own seed, the epoch and the step alone: starting later leaves out batches, and
        changes none. Only the last global batch of an epoch may be shorter than the others.

        Args:
            epoch: from 0.
            start: the step within the epoch to start at.
            worker: whose rows.
        """

    def validation(self, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the global batches of the validation set, the same every time; none without such a set.

        Args:
            worker: whose rows.
        """
