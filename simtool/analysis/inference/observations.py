"""Scored observations: the cluster that judged, and the images that were judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["Clusters", "Observations", "clusters_of", "distinct", "ranks"]

#: Observations that are searched first for an image that all show.
FEW = 1024


@dataclass(frozen=True)
class Clusters:
    """Groups of trials that are resampled together: those of a participant, else of a session, else single trials.

    Attributes:
        name: ``participants``, ``sessions`` or ``trials``.
        code: (T,) the cluster of each trial, counted from 0 in the order of names; -1 if the trial has no name.
        count: number of clusters.
        participants: number of participants that the table names.
        unnamed: number of trials that name no participant.
    """

    name: str
    code: NDArray[np.int32]
    count: int
    participants: int
    unnamed: int


def clusters_of(trials: Trials) -> Clusters:
    """Group the T trials of a table by the person who judged, according to the table.

    A column with a single name cannot be resampled and is skipped. A trial without a name in the column that is used
    belongs to no cluster. Any person can have judged it, so it does not show how people differ.
    """
    participants, who = _names(trials.participant)
    sessions, when = _names(trials.session)
    unnamed = int((who < 0).sum())
    for kind, count, code in (("participants", participants, who), ("sessions", sessions, when)):
        if count > 1:
            return Clusters(kind, code, count, participants, unnamed)
    code = np.empty(len(trials), np.int32)
    code[np.argsort(trials.trial_id)] = np.arange(len(trials), dtype=np.int32)
    return Clusters("trials", code, len(trials), participants, unnamed)


def _names(column: Labels) -> tuple[int, NDArray[np.int32]]:
    """The number of distinct names in a column, and the rank of each entry among them; -1 if it is null or blank."""
    used = column.used()
    names = used.names.to_pylist()
    filled = np.flatnonzero([bool(name.strip()) for name in names])
    rank = np.full(len(names) + 1, -1, np.int32)  # the last entry is for null, -1
    rank[filled], count = ranks([names[at] for at in filled])
    return count, rank[used.code]


@dataclass(frozen=True)
class Observations:
    """N scored observations: comparisons, or whole trials.

    Two observations count as dependent if they share the cluster or an image. In place of images there can be classes
    of images, or nothing (:class:`~simtool.analysis.inference.units.Units`).

    Attributes:
        trial: (N,) the row of the trial.
        cluster: (N,) the cluster, less than ``cluster_count``; -1 if it is unknown.
        images: (N, 3) the different images that decide, less than ``image_count``; ``image_count`` in the place of a
            repetition. Codes of clusters and of images follow the order of names, so results do not depend on the order
            of rows.
        cluster_count: number of clusters.
        image_count: number of images; 0 if images are fixed.
    """

    trial: NDArray[np.integer]
    cluster: NDArray[np.integer]
    images: NDArray[np.integer]
    cluster_count: int
    image_count: int

    def __len__(self) -> int:
        return len(self.trial)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Observations:
        """The observations at some positions, where a mask is true, or in a slice. Codes stay the same."""
        at = np.flatnonzero(rows) if not isinstance(rows, slice) and rows.dtype == bool else rows
        images = self.images[at] if isinstance(at, slice) else self.images.take(at, axis=0)
        return replace(self, trial=self.trial[at], cluster=self.cluster[at], images=images)

    def informative(self, weight: NDArray[np.float64] | None = None) -> NDArray[np.bool_]:
        """The observations that show how people differ, (N,): their cluster is known and their weight is not 0."""
        known: NDArray[np.bool_] = self.cluster >= 0
        return known if weight is None else known & (weight > 0)

    def effective_size(self) -> int:
        """The greatest number of independent observations: the smaller number of clusters and images."""
        clusters = distinct(self.cluster, self.cluster_count)
        return min(clusters, self.distinct_images()) if self.image_count else clusters

    def distinct_images(self) -> int:
        """The number of distinct images."""
        return distinct(self.images, self.image_count)

    def shown_by_all(self) -> NDArray[np.integer]:
        """The images that every observation shows."""
        first = np.unique(self.images[:1])
        found = first[first < self.image_count]
        for rows in (slice(FEW), slice(None)):  # a few observations rule out almost every image
            found = np.array([image for image in found if (self.images[rows] == image).any(axis=1).all()], int)
        return found

    def without_shared_images(self) -> Observations:
        """The same observations without the images that all of them show: with fewer columns of images, if any."""
        constant = self.shown_by_all()
        if not constant.size:
            return self
        varying = ~np.isin(self.images, constant)
        return replace(self, images=self.images[varying].reshape(len(self), -1))


def distinct(codes: NDArray[np.integer], size: int) -> int:
    """The number of distinct codes from 0 to ``size`` - 1; ``size`` stands for none."""
    seen = np.zeros(size + 1, bool)
    seen[codes] = True
    return int(np.count_nonzero(seen[:-1]))


def ranks(names: Sequence[Any]) -> tuple[NDArray[np.intp], int]:
    """The rank of each name in the sorted list of distinct names, and the length of that list."""
    place = {name: rank for rank, name in enumerate(sorted(set(names)))}
    return np.fromiter((place[name] for name in names), np.intp, len(names)), len(place)
