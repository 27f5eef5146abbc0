"""The plan of scoring some trials: which pairs of images to measure, and where comparisons find their distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons, Selections
from simtool.scoring.pairs import PairNumbers
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads
from simtool.tables.trials import Trials

__all__ = ["STEP", "Codes", "Ends", "Places", "Plan", "is_dense"]

Codes: TypeAlias = NDArray[np.int32]
Places: TypeAlias = NDArray[np.int16]
#: The query and the references of trials, and the selection of each.
Shown: TypeAlias = tuple[Codes, Codes, Codes]

#: Trials of a step of the loops over trials.
STEP = 1 << 12
#: Time for a cell of the matrix of squared distances divided by the time for a pair of a list. Cells are computed for
#: half of the matrix (measured: 0.3 to 0.6, for the product alone; the look-ups are faster, too).
_CELL_COST = 0.35
#: Bytes of a number.
_NUMBER = 8
#: Numbers for each pair that is measured again and ranked: distances, errors, ranks, and the work of ranking.
_ARRAYS = 10
#: Places of a trial, with the query.
_PLACES = 129


@dataclass(frozen=True)
class Ends:
    """The pairs of places that each selection compares.

    Attributes:
        start: (S + 1,) where the pairs of each of S selections start.
        left: (L,) places, as in :class:`Selections`.
        right: (L,) the same.
        near: (K,) for each comparison of each selection, the position of (anchor, near) among the pairs of the selection.
        far: (K,) the same of (anchor, far).
    """

    start: NDArray[np.int64]
    left: Places
    right: Places
    near: Places
    far: Places

    @classmethod
    def of(cls, selections: Selections) -> Ends:
        """Collect the distinct pairs of places."""
        number = np.repeat(np.arange(selections.start.size - 1), np.diff(selections.start))
        anchor, ends = selections.anchor + 1, np.stack([selections.near, selections.far]) + 1
        low, high = np.minimum(anchor, ends), np.maximum(anchor, ends)
        codes, place = np.unique((number * _PLACES + low) * _PLACES + high, return_inverse=True)
        start = np.searchsorted(codes, np.arange(selections.start.size) * _PLACES**2)
        left, right = (side.astype(np.int16) - 1 for side in (codes // _PLACES % _PLACES, codes % _PLACES))
        near, far = (place.reshape(2, -1) - start[number]).astype(np.int16)
        return cls(start, left, right, near, far)


@dataclass(frozen=True)
class Plan:
    """How the comparisons of some trials are judged by distances; it serves several tables.

    Attributes:
        trials: the trials.
        selections: the comparisons that their selections imply.
        ends: the pairs of places that they compare.
        used: (n,) the positions in ``trials.images`` that occur in a comparison, ascending.
        index: the index of each image among the used ones, by its position in ``trials.images``.
        first: (steps,) the number of the first comparison of each step of :data:`STEP` trials.
        numbers: of the pairs of used images: in a matrix if the trials mention most of all pairs, else in a list.
    """

    trials: Trials
    selections: Selections
    ends: Ends
    used: NDArray[np.intp]
    index: Codes
    first: NDArray[np.int64]
    numbers: PairNumbers

    @classmethod
    def of(cls, trials: Trials) -> Plan:
        """Make the plan for some trials."""
        selections = Selections.of(trials)
        ends = Ends.of(selections)
        shown: Shown = trials.query, trials.references, selections.of_trial
        places = ends.start, ends.left, ends.right
        occurs = np.zeros(len(trials.images), np.bool_)
        _find_used(*shown, *places, occurs)
        used, index = np.flatnonzero(occurs), (np.cumsum(occurs) - 1).astype(np.int32)
        comparisons, pairs = np.empty((2, -(-len(trials) // STEP)), np.int64)
        sizes = np.diff(selections.start), np.diff(ends.start)
        in_threads(lambda *piece: _count(selections.of_trial, *sizes, comparisons, pairs, *piece), pairs.size)
        mentions = int(pairs.sum())
        if is_dense(mentions, used.size):
            numbers = PairNumbers.matrix(used.size)
        else:
            left, right = np.empty((2, mentions), np.int32)
            at = np.cumsum(pairs) - pairs
            in_threads(lambda start, stop: _list(*shown, *places, index, at, left, right, start, stop), pairs.size)
            numbers = PairNumbers.of(left, right, used.size)
        return cls(trials, selections, ends, used, index, np.cumsum(comparisons) - comparisons, numbers)

    @property
    def comparisons(self) -> int:
        """C, the number of comparisons."""
        return self.trials.comparisons

    def some(self, wanted: NDArray[np.bool_]) -> Comparisons:
        """Some of the comparisons.

        Args:
            wanted: (C,) a mask.
        """
        sizes = np.diff(self.selections.start)[self.selections.of_trial]
        rows = np.logical_or.reduceat(wanted, np.cumsum(sizes) - sizes)
        found = self.selections.comparisons(self.trials, np.flatnonzero(rows))
        return found.take(wanted[np.repeat(rows, sizes)])

    def footprint(self, distances: int) -> int:
        """The bytes that it takes to measure the pairs by some distances, and to judge and write the comparisons."""
        cells = self.numbers.images**2 if self.numbers.dense else len(self.numbers.pairs) * (distances + _ARRAYS)
        return (cells + len(self.trials) * 3 + self.comparisons * (1 + distances)) * _NUMBER


def is_dense(mentions: int, images: int) -> bool:
    """Whether a matrix of all pairs costs less than a list of those that are mentioned, which may repeat at random."""
    pairs = images * (images - 1) / 2
    return bool(_CELL_COST * images**2 < pairs * -np.expm1(-mentions / max(pairs, 1)))


@compiled
def _find_used(
    query: Codes,
    references: Codes,
    of_trial: Codes,
    pair_start: NDArray[np.int64],
    left: Places,
    right: Places,
    occurs: NDArray[np.bool_],
) -> None:
    """Mark the images that comparisons mention."""
    missing = occurs.size
    for trial in range(query.size):
        if missing == 0:
            break
        for pair in range(pair_start[of_trial[trial]], pair_start[of_trial[trial] + 1]):
            for place in (left[pair], right[pair]):
                image = query[trial] if place < 0 else references[trial, place]
                missing -= not occurs[image]
                occurs[image] = True


@compiled
def _count(
    of_trial: Codes,
    comparison_sizes: NDArray[np.int64],
    pair_sizes: NDArray[np.int64],
    comparisons: NDArray[np.int64],
    pairs: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Count the comparisons and pairs of some steps."""
    for step in range(start, stop):
        own = of_trial[step * STEP : (step + 1) * STEP]
        comparisons[step], pairs[step] = comparison_sizes[own].sum(), pair_sizes[own].sum()


@compiled
def _list(
    query: Codes,
    references: Codes,
    of_trial: Codes,
    pair_start: NDArray[np.int64],
    left: Places,
    right: Places,
    index: Codes,
    first: NDArray[np.int64],
    one: Codes,
    other: Codes,
    start: int,
    stop: int,
) -> None:
    """List the mentioned pairs of some steps in the order of the trials; ``first`` are the first pairs of all steps."""
    for step in range(start, stop):
        at = first[step]
        for trial in range(step * STEP, min((step + 1) * STEP, query.size)):
            for pair in range(pair_start[of_trial[trial]], pair_start[of_trial[trial] + 1]):
                one[at] = index[query[trial] if left[pair] < 0 else references[trial, left[pair]]]
                other[at] = index[query[trial] if right[pair] < 0 else references[trial, right[pair]]]
                at += 1
