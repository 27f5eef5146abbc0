"""Comparisons: what a judgment says about two pairs of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.tables.trials import Trials

__all__ = ["Comparisons", "Selections", "key_images"]

#: Trials that are compared at a time, so that temporary arrays stay small.
_STEP = 1 << 16
#: Codes of selections up to this many are counted; more are sorted.
_CODES = 1 << 16


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
        return Selections.of(trials).comparisons(trials, np.arange(len(trials)))

    def __len__(self) -> int:
        return len(self.trial)

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> Comparisons:
        """Some of the comparisons: at ascending positions, where a mask is true, or in a slice; of the same trials."""
        return Comparisons(self.trial[rows], self.anchor[rows], self.near[rows], self.far[rows])


@dataclass(frozen=True)
class Selections:
    """The S distinct selections among trials, and the comparisons that each of them implies.

    A design compares places of a trial, so trials of one type with equal selections imply the same comparisons of
    places. A place is a position among the references, or -1 for the query.

    Attributes:
        of_trial: (T,) the selection of each trial.
        start: (S + 1,) where the comparisons of each selection start in the next arrays.
        anchor: (K,) places, selection by selection.
        near: (K,) the same.
        far: (K,) the same.
    """

    of_trial: NDArray[np.int32]
    start: NDArray[np.int64]
    anchor: NDArray[np.int16]
    near: NDArray[np.int16]
    far: NDArray[np.int16]

    @classmethod
    def of(cls, trials: Trials) -> Selections:
        """Find the distinct selections, and ask the designs for their comparisons."""
        of_trial, sizes = np.empty(len(trials), np.int32), np.empty(0, np.int64)
        found = [np.empty((3, 0), np.int16)]
        for place, kind in enumerate(trials.types):
            own = slice(None) if len(trials.types) == 1 else trials.type_index == place
            selected = trials.selected[own, : kind.n_select]
            if not len(selected):
                continue
            chosen, number = _distinct(selected, kind.n_reference)
            if sizes.size:
                number += sizes.size
            if len(trials.types) == 1:
                of_trial = number
            else:
                of_trial[own] = number
            references = np.broadcast_to(np.arange(kind.n_reference, dtype=np.int32), (len(chosen), kind.n_reference))
            compared = kind.compare(np.full(len(chosen), -1, np.int32), references, chosen)
            found.append(np.stack(compared).reshape(3, -1).astype(np.int16))
            sizes = np.append(sizes, np.full(len(chosen), kind.comparisons))
        return cls(of_trial, np.concatenate([[0], np.cumsum(sizes)]), *np.concatenate(found, axis=1))

    def comparisons(self, trials: Trials, rows: NDArray[np.integer[Any]]) -> Comparisons:
        """List the comparisons of some of the trials.

        Args:
            trials: the trials.
            rows: ascending positions of trials.
        """
        sizes = np.diff(self.start)[self.of_trial[rows]]
        end = np.concatenate([[0], np.cumsum(sizes)])
        arrays = tuple(np.empty(end[-1], np.int32) for _ in range(4))
        for first in range(0, rows.size, _STEP):
            some = rows[first : first + _STEP]
            local = np.repeat(np.arange(some.size), sizes[first : first + _STEP])
            out = slice(end[first], end[first + some.size])
            inside = np.arange(out.start, out.stop) - end[first + local]
            entry = self.start[self.of_trial[some[local]]] + inside
            shown = np.column_stack([trials.references[some], trials.query[some]])  # the query is at -1
            arrays[0][out] = some[local]
            for array, places in zip(arrays[1:], (self.anchor, self.near, self.far), strict=True):
                array[out] = shown[local, places[entry]]
        return Comparisons(*arrays)


def _distinct(selected: NDArray[np.int8], choices: int) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """The distinct rows of selected positions, (S, K), and the number of each row among them, (t,)."""
    size = choices
    code: NDArray[np.signedinteger[Any]] = selected[:, 0].astype(np.int32)
    if selected.shape[1] == 1:
        return np.arange(choices, dtype=np.int8)[:, np.newaxis], code.astype(np.int32, copy=False)
    for column in selected.T[1:]:
        if size > _CODES:
            distinct, code = np.unique(code, return_inverse=True)
            size = distinct.size
        code = (code.astype(np.int64) if size * choices > np.iinfo(np.int32).max else code) * choices + column
        size *= choices
    if size > _CODES:
        _, row, code = np.unique(code, return_index=True, return_inverse=True)
        return selected[row], code.astype(np.int32)
    row = np.full(size, -1)
    row[code] = np.arange(len(code))
    number = np.cumsum(row >= 0, dtype=np.int32) - 1
    return selected[row[row >= 0]], number[code]


def key_images(trials: Trials) -> NDArray[np.int32]:
    """The images by which two trials depend on each other, as their designs choose them, (T, 3)."""
    images = np.empty((len(trials), 3), np.int32)
    for kind, rows in _pieces(trials):
        references, selected = trials.references[rows, : kind.n_reference], trials.selected[rows, : kind.n_select]
        images[rows] = kind.key_images(trials.query[rows], references, selected)
    return images


def _pieces(trials: Trials) -> Iterator[tuple[TrialType, NDArray[np.intp]]]:
    """The trials of each type, some at a time."""
    for kind in trials.types:
        rows = trials.of_type(kind)
        for start in range(0, rows.size, _STEP):
            yield kind, rows[start : start + _STEP]
