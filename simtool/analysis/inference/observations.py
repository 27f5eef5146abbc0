"""What scored observations have in common: the person who judged, and the images that were judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.tables.trials import Trials

__all__ = ["Observations", "Units", "choices_of", "comparisons_of", "units_of"]


@dataclass(frozen=True)
class Units:
    """Who is resampled: people where they are known, else sessions, else trials.

    Attributes:
        name: ``participants``, ``sessions`` or ``trials``.
        code: (T,) the unit of each trial, counted from 0 in the order of the units' names; -1 where it has no name.
        count: how many units there are.
        people: how many participants the table names.
        nameless: how many trials name no participant.
    """

    name: str
    code: NDArray[np.intp]
    count: int
    people: int
    nameless: int


def units_of(trials: Trials) -> Units:
    """Group the trials that, as far as the table tells, one person judged.

    A column with a single name cannot be resampled and is passed over. A trial that lacks a name in the column
    that is used belongs to no unit: it may be anybody's, and is no evidence of how people differ.

    Args:
        trials: T trials.
    """
    people, who = _names(trials.participant)
    sessions, when = _names(trials.session)
    nameless = int((who < 0).sum())
    for kind, count, code in (("participants", people, who), ("sessions", sessions, when)):
        if count > 1:
            return Units(kind, code, count, people, nameless)
    code, count = _ranks(trials.trial_id.tolist())
    return Units("trials", code, count, people, nameless)


def _names(column: NDArray[np.object_]) -> tuple[int, NDArray[np.intp]]:
    """How many names a column holds, and the place of each among them; -1 where it is null or blank."""
    blank = np.fromiter((name is None or not name.strip() for name in column), bool, len(column))
    code = np.full(len(column), -1, np.intp)
    code[~blank], count = _ranks(column[~blank].tolist())
    return count, code


@dataclass(frozen=True)
class Observations:
    """N scored observations: comparisons, or whole trials.

    Two observations are taken to be independent if they share neither the unit nor an image.

    Attributes:
        trial: (N,) the trial's row.
        unit: (N,) the unit, below ``units``; -1 where it is not known.
        images: (N, 3) the images that decide, below ``image_count``: the query, and two references.
            Both codes are in the order of names, so that results do not depend on the order of rows.
        units: how many units there are.
        image_count: how many images there are.
    """

    trial: NDArray[np.intp]
    unit: NDArray[np.intp]
    images: NDArray[np.intp]
    units: int
    image_count: int

    def __len__(self) -> int:
        return len(self.trial)

    def take(self, rows: NDArray[np.intp] | slice) -> Observations:
        """The observations at some positions (or in a slice); units and images keep their codes."""
        return replace(self, trial=self.trial[rows], unit=self.unit[rows], images=self.images[rows])

    def independent(self, rows: NDArray[np.intp]) -> int:
        """How many independent pieces some rows hold at most: their units or their images, whichever are fewer."""
        return min(np.unique(self.unit[rows]).size, np.unique(self.images[rows]).size)

    def shown_by_all(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The images that every one of some rows shows."""
        times = np.bincount(self.images[rows].ravel(), minlength=self.image_count)
        return np.flatnonzero(times == max(len(rows), 1))

    def without_shared_images(self) -> Observations:
        """The same less the images that all of them show; fewer than three columns of images remain."""
        constant = np.isin(self.images, self.shown_by_all(np.arange(len(self))))
        return replace(self, images=self.images[~constant].reshape(len(self), -1))


def comparisons_of(trials: Trials, units: Units) -> Observations:
    """The comparisons that trials imply, each with its query, its selected and its other reference.

    Args:
        trials: T trials.
        units: whose judgments they are.

    Returns:
        One observation for each comparison, in the order of the outcomes' ``credits``, row by row.
    """
    found = Comparisons.of(trials)
    return _observe(trials, units, found.trial, np.column_stack([found.anchor, found.near, found.far]))


def choices_of(trials: Trials, units: Units) -> Observations:
    """The trials as wholes, each with the three images that its design chooses: query, first and second choice.

    Args:
        trials: T trials.
        units: whose judgments they are.

    Returns:
        One observation for each trial.
    """
    images = np.empty((len(trials), 3), np.int32)
    for kind in trials.types:
        rows = trials.of_type(kind)
        shown = trials.references[rows, : kind.n_reference]
        images[rows] = kind.key_images(trials.query[rows], shown, trials.selected[rows, : kind.n_select])
    return _observe(trials, units, np.arange(len(trials)), images)


def _observe(
    trials: Trials, units: Units, trial: NDArray[np.integer[Any]], images: NDArray[np.integer[Any]]
) -> Observations:
    shown = np.unique(np.concatenate([trials.query[trials.query >= 0], trials.references[trials.references >= 0]]))
    code = np.zeros(len(trials.images), np.intp)
    code[shown], count = _ranks(trials.images[shown].tolist())
    return Observations(trial.astype(np.intp), units.code[trial], code[images], units.count, count)


def _ranks(names: Sequence[Any]) -> tuple[NDArray[np.intp], int]:
    """Each name's place in the sorted list of distinct names, and how many those are."""
    place = {name: rank for rank, name in enumerate(sorted(set(names)))}
    return np.fromiter((place[name] for name in names), np.intp, len(names)), len(place)
