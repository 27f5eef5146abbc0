"""The plan of scoring some trials: which pairs of images to measure, and where comparisons find their distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons, Selections
from simtool.scoring.pairs import Codes, PairNumbers, Pairs
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads
from simtool.tables.trials import Trials

__all__ = ["STEP", "Display", "Plan", "is_dense", "shown_images"]

Places: TypeAlias = NDArray[np.int16]
Starts: TypeAlias = NDArray[np.int64]

#: Trials of a step of the loops over trials.
STEP = 1 << 12
#: Time for a cell of the matrix of squared distances divided by the time for a pair of a list (measured: 0.3 to 0.6
#: for the sums; look-ups in a matrix are faster, too).
_CELL_COST = 0.35
#: Bytes of a number.
_NUMBER = 8
#: Numbers for each pair that is measured again and ranked: distances, errors, ranks, and the work of ranking.
_ARRAYS = 10
#: Places of a trial, with the query.
_PLACES = 129


class Display(NamedTuple):
    """The images that T trials show, and the pairs of places that their S selections compare.

    Attributes:
        query: (T,) as in :class:`Trials`.
        references: (T, longest) the same.
        position: the position of each image among the used ones.
        of_trial: (T,) the selection of each trial.
        pair_start: (S + 1,) where the pairs of each selection start.
        left: (L,) places, as in :class:`Selections`.
        right: (L,) the same.
        start: (S + 1,) where the comparisons of each selection start.
        near: (K,) for each comparison, the position of (anchor, near) among the pairs of the selection.
        far: (K,) the same of (anchor, far).
    """

    query: Codes
    references: Codes
    position: Codes
    of_trial: Codes
    pair_start: Starts
    left: Places
    right: Places
    start: Starts
    near: Places
    far: Places

    @classmethod
    def of(cls, trials: Trials, selections: Selections, position: Codes) -> Self:
        """Collect the distinct pairs of places of each selection."""
        number = np.repeat(np.arange(selections.start.size - 1), np.diff(selections.start))
        anchor, ends = selections.anchor + 1, np.stack([selections.near, selections.far]) + 1
        low, high = np.minimum(anchor, ends), np.maximum(anchor, ends)
        codes, at = np.unique((number * _PLACES + low) * _PLACES + high, return_inverse=True)
        start = np.searchsorted(codes, np.arange(selections.start.size) * _PLACES**2)
        left, right = (side.astype(np.int16) - 1 for side in (codes // _PLACES % _PLACES, codes % _PLACES))
        near, far = (at.reshape(2, -1) - start[number]).astype(np.int16)
        shown = trials.query, trials.references, position
        return cls(*shown, selections.of_trial, start, left, right, selections.start, near, far)


@dataclass(frozen=True)
class Plan:
    """How the comparisons of some trials are judged by distances; it serves several tables.

    Attributes:
        trials: the trials.
        selections: the comparisons that their selections imply.
        used: (n,) the positions in ``trials.images`` that trials show, ascending.
        display: what the trials show.
        first: (steps,) the number of the first comparison of each step of :data:`STEP` trials.
        numbers: of the pairs of used images: in a matrix if the trials mention most of all pairs, else in a list.
        pairs: the pairs in the list.
    """

    trials: Trials
    selections: Selections
    used: NDArray[np.intp]
    display: Display
    first: Starts
    numbers: PairNumbers
    pairs: Pairs

    @classmethod
    def of(cls, trials: Trials) -> Plan:
        """Make the plan for some trials."""
        used = shown_images(trials)
        position = np.full(len(trials.images), -1, np.int32)
        position[used] = np.arange(used.size)
        selections = Selections.of(trials)
        display = Display.of(trials, selections, position)
        first, last = _firsts(display.pair_start, display.of_trial)
        if is_dense(last, used.size):
            numbers = PairNumbers.matrix(used.size)
        else:
            left, right = np.empty((2, last), np.int32)
            in_threads(lambda start, stop: _list(display, first, left, right, start, stop), first.size)
            numbers = PairNumbers.of(left, right, used.size)
        first, _ = _firsts(display.start, display.of_trial)
        return cls(trials, selections, used, display, first, numbers, numbers.pairs())

    def some(self, wanted: NDArray[np.bool_]) -> Comparisons:
        """Some of the comparisons; ``wanted`` is a mask, (C,)."""
        steps = np.flatnonzero(np.logical_or.reduceat(wanted, self.first))
        rows = (steps[:, np.newaxis] * STEP + np.arange(STEP)).ravel()
        inside = np.split(wanted, self.first[1:])
        found = self.selections.comparisons(self.trials, rows[rows < len(self.trials)])
        return found.take(np.concatenate([wanted[:0], *(inside[step] for step in steps)]))

    def footprint(self, distances: int) -> int:
        """The bytes that it takes to measure the pairs by some distances, and to judge and write the comparisons."""
        numbers = len(self.pairs) * (distances + _ARRAYS) + (self.used.size**2 if self.numbers.dense else 0)
        return (numbers + len(self.trials) * 3 + self.trials.comparisons * (1 + distances)) * _NUMBER


def is_dense(mentions: int, images: int) -> bool:
    """Whether a matrix of all pairs costs less than a list of those that are mentioned, which may repeat at random."""
    pairs = images * (images - 1) / 2
    return bool(_CELL_COST * images**2 < pairs * -np.expm1(-mentions / max(pairs, 1)))


def shown_images(trials: Trials) -> NDArray[np.intp]:
    """The positions in ``trials.images`` that trials show, ascending; the search stops where all are found."""
    occurs = np.zeros(len(trials.images) + 1, np.bool_)
    for start in range(0, len(trials), STEP):
        for codes in (trials.query, trials.references):
            occurs[codes[start : start + STEP]] = True  # -1 marks the last place
        if occurs[:-1].all():
            break
    return np.flatnonzero(occurs[:-1])


def _firsts(start: Starts, of_trial: Codes) -> tuple[Starts, int]:
    """The number of entries of selections before each step of trials, and of all."""
    sizes, steps = np.diff(start), np.arange(0, len(of_trial), STEP)
    if (sizes == sizes[0]).all():
        return steps * sizes[0], len(of_trial) * int(sizes[0])
    counts = np.add.reduceat(sizes[of_trial], steps)
    return np.cumsum(counts) - counts, int(counts.sum())


@compiled
def _list(display: Display, first: Starts, one: Codes, other: Codes, start: int, stop: int) -> None:
    """List the mentioned pairs of some steps in the order of the trials; ``first`` are the first pairs of all steps."""
    query, references, position, of_trial, pair_start, left, right, _, _, _ = display
    for step in range(start, stop):
        at = first[step]
        for trial in range(step * STEP, min((step + 1) * STEP, query.size)):
            for pair in range(pair_start[of_trial[trial]], pair_start[of_trial[trial] + 1]):
                one[at] = position[query[trial] if left[pair] < 0 else references[trial, left[pair]]]
                other[at] = position[query[trial] if right[pair] < 0 else references[trial, right[pair]]]
                at += 1
