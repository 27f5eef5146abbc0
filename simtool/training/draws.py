"""Random numbers of one step, the same however its batch is split over devices and workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from simtool.tensorflow import load_tensorflow

__all__ = ["Draws"]


@dataclass(frozen=True)
class Draws:
    """What a step may draw at random: numbers per example that belong to its place in the global batch.

    Without state: whoever draws twice from the same draws gets the same numbers; :meth:`fold` makes others.

    Attributes:
        seed: int32 (2,), of this step; the same for all devices and workers.
        total: examples of a whole global batch.
        rows: int32 (b,), the places in the global batch of the examples at hand.
    """

    seed: Any
    total: int
    rows: Any

    def fold(self, number: int) -> Draws:
        """Other draws, for another purpose within the same step."""
        tf = load_tensorflow()
        return replace(self, seed=tf.random.experimental.stateless_fold_in(self.seed, number))

    def uniform(self, shape: Sequence[int] = ()) -> Any:
        """(b, *shape) float32, uniform in [0, 1).

        Args:
            shape: of the numbers of one example.
        """
        tf = load_tensorflow()
        return self._mine(tf.random.stateless_uniform([self.total, *shape], self.seed))

    def normal(self, shape: Sequence[int] = ()) -> Any:
        """(b, *shape) float32, of the standard normal distribution.

        Args:
            shape: of the numbers of one example.
        """
        tf = load_tensorflow()
        return self._mine(tf.random.stateless_normal([self.total, *shape], self.seed))

    def _mine(self, numbers: Any) -> Any:
        tf = load_tensorflow()
        return tf.gather(numbers, self.rows)
