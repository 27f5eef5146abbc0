"""Comparisons: what a judgment says about two pairs of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.tables.trials import Trials

__all__ = ["Comparisons", "key_images"]

#: Trials that are compared at a time, so that temporary arrays stay small.
_STEP = 1 << 16


@dataclass(frozen=True)
class Comparisons:
    """C comparisons: people judged ``near`` to be more similar to ``anchor`` than ``far`` is.

    The comparisons of a trial follow each other, in the order of the contract (docs/tables.md).

    Attributes:
        trial: (C,) rows of the table of trials, ascending.
        anchor: (C,) positions in ``Trials.images``.
        near: (C,) the same.
        far: (C,) the same.
    """

    trial: NDArray[np.int32]
    anchor: NDArray[np.int32]
    near: NDArray[np.int32]
    far: NDArray[np.int32]

    @classmethod
    def of(cls, trials: Trials) -> Comparisons:
        """List the comparisons that trials imply by their designs."""
        counts = trials.implied
        start = np.cumsum(counts) - counts
        anchor, near, far = (np.empty(counts.sum(), np.int32) for _ in range(3))
        for kind, rows in _pieces(trials):
            found = kind.compare(*_displays(trials, kind, rows))
            places = start[rows, None] + np.arange(kind.comparisons)
            for array, values in zip((anchor, near, far), found, strict=True):
                array[places] = values
        return cls(np.repeat(np.arange(len(trials), dtype=np.int32), counts), anchor, near, far)

    def __len__(self) -> int:
        return len(self.trial)

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> Comparisons:
        """Some of the comparisons: at ascending positions, where a mask is true, or in a slice; of the same trials."""
        return Comparisons(self.trial[rows], self.anchor[rows], self.near[rows], self.far[rows])


def key_images(trials: Trials) -> NDArray[np.int32]:
    """The images by which two trials depend on each other, as their designs choose them, (T, 3)."""
    images = np.empty((len(trials), 3), np.int32)
    for kind, rows in _pieces(trials):
        images[rows] = kind.key_images(*_displays(trials, kind, rows))
    return images


def _pieces(trials: Trials) -> Iterator[tuple[TrialType, NDArray[np.intp]]]:
    """The trials of each type, some at a time."""
    for kind in trials.types:
        rows = trials.of_type(kind)
        for start in range(0, rows.size, _STEP):
            yield kind, rows[start : start + _STEP]


def _displays(
    trials: Trials, kind: TrialType, rows: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
    """Query, references and selected positions of some trials of one type."""
    return trials.query[rows], trials.references[rows, : kind.n_reference], trials.selected[rows, : kind.n_select]
