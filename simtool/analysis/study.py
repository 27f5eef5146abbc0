"""The judgments of a study, prepared for statistics: observations, clusters, weights and strata."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.columns import column_strata
from simtool.analysis.inference.observations import Observations, clusters_of, distinct
from simtool.analysis.inference.units import ImageUnits, Units
from simtool.analysis.labels import LABELS, Told, label_strata, told
from simtool.analysis.metrics import Metric
from simtool.analysis.report import Sample
from simtool.analysis.strata import ALL, Mask, Stratum, divided, strata_of
from simtool.judgments.classes import classes_of, groups_of
from simtool.judgments.comparisons import Comparisons, key_images
from simtool.tables.parquet import TableError
from simtool.tables.trials import Trials

__all__ = ["Study"]


class Study:
    """The trials that several models were scored on.

    Attributes:
        trials: T trials.
        comparisons: the C comparisons that they imply.
        strata: the parts of the data that a report has rows for.
        weight: (T,) weight of each trial; None for equal weights.
    """

    def __init__(self, trials: Trials, weighted: bool = False, sets: int = 1, units: Units = Units.IMAGE) -> None:
        """Prepare trials.

        Args:
            trials: T trials.
            weighted: whether each trial counts by its weight.
            sets: number of sets that were pooled.
            units: the units in which intervals resample images.

        Raises:
            TableError: the trials do not name the classes that are the units.
        """
        self.trials = trials
        self._units = units
        self.comparisons = Comparisons.of(trials)
        self.strata = strata_of(trials)
        self._clusters = clusters_of(trials)
        self.weight = trials.weight.astype(np.float64) if weighted else None
        self._sets = sets

    def divide(self, columns: Sequence[str] = (), trial_type: str | None = None) -> None:
        """Add the strata by the labels of the display, if the trials state labels, and by columns of the trials.

        Args:
            columns: names of columns.
            trial_type: divide the trials of this type; None for all trials.

        Raises:
            ReportError: a column does not exist, or cannot divide trials.
        """
        whole = next((stratum for stratum in self.strata if stratum.name == (trial_type or ALL)), None)
        if whole is None:
            return
        parts = {} if self.labels is None else {LABELS: label_strata(self.labels)}
        parts |= {name: column_strata(self.trials, name) for name in columns}
        for by, own in parts.items():
            self.strata += [part for part in divided(whole, own, by, self.comparisons) if self._counts(part)]

    def _counts(self, stratum: Stratum) -> bool:
        """Whether a stratum holds a comparison that counts: one with a weight above 0."""
        weight = self.weight_of(self.compared)
        return weight is None or bool(weight[stratum.over(self.comparisons)].any())

    @cached_property
    def _told(self) -> Told | TableError | None:
        try:
            with ThreadPoolExecutor(2) as pool:
                classes, groups = pool.map(lambda labels_of: labels_of(self.trials), (classes_of, groups_of))
        except TableError as failure:
            return failure
        return None if classes is None and groups is None else told(self.comparisons, classes, groups)

    @property
    def labels(self) -> Told | None:
        """How the labels of images tell the comparisons apart; None if the trials do not state labels."""
        return self._told if isinstance(self._told, Told) else None

    @property
    def unlabelled(self) -> str | None:
        """Why there are no labels, if the trials state them in a way that cannot be used."""
        return str(self._told) if isinstance(self._told, TableError) else None

    @cached_property
    def compared(self) -> Observations:
        """The comparisons as C observations; their images are anchor, near and far."""
        found = self.comparisons
        return self._observe(found.trial, found.anchor, found.near, found.far)

    @cached_property
    def chosen(self) -> Observations:
        """The trials as T observations; their designs choose the images."""
        return self._observe(np.arange(len(self.trials), dtype=np.int32), *key_images(self.trials).T)

    def _observe(self, trial: NDArray[np.int32], *images: NDArray[np.int32]) -> Observations:
        found = self._image_units
        return Observations(trial, self._clusters.code[trial], found.of(images), self._clusters.count, found.count)

    @cached_property
    def _image_units(self) -> ImageUnits:
        """The units of the compared images."""
        shown = np.zeros(len(self.trials.images), bool)
        for side in (self.comparisons.anchor, self.comparisons.near, self.comparisons.far):
            shown[side] = True
        return ImageUnits(self.trials, shown, self._units)

    def weight_of(self, observations: Observations) -> NDArray[np.float64] | None:
        """The weight of each observation, (N,); None for equal weights."""
        return None if self.weight is None else self.weight[observations.trial]

    def share(self, part: Mask, whole: Mask) -> float:
        """The share of the comparisons of a stratum that are in a part of it; masks are over comparisons, (C,)."""
        weight = self.weight_of(self.compared)
        sums = [np.count_nonzero(mask) if weight is None else weight[mask].sum() for mask in (part, whole)]
        return float(sums[0] / sums[1])

    def chance(self, metric: Metric, stratum: Stratum) -> float | None:
        """The expected value of guessing; None if the trial types differ in it, or if the metric does not apply."""
        kinds = np.unique(self.trials.type_index[self.comparisons.trial[stratum.over(self.comparisons)]])
        chances = {metric.chance(self.trials.types[kind]) for kind in kinds}
        return chances.pop() if len(chances) == 1 else None

    def person_of(self, observations: Observations) -> NDArray[np.int32] | None:
        """The participant of each observation, (N,), -1 if unknown; None if fewer than two are named."""
        return self._clusters.code[observations.trial] if self._clusters.name == "participants" else None

    def sample(self, observations: Observations) -> Sample:
        """The data that the intervals of some observations depend on."""
        trials = np.zeros(len(self.trials), bool)
        trials[observations.trial] = True
        known = observations.informative(self.weight_of(observations))
        informative = observations if known.all() else observations.take(known)
        return Sample(
            clusters=self._clusters.name,
            cluster_count=distinct(informative.cluster, informative.cluster_count),
            images=informative.distinct_images(),
            trials=int(np.count_nonzero(trials)),
            participants=self._clusters.participants,
            unnamed=self._clusters.unnamed,
            not_resampled=int(np.count_nonzero(self._clusters.code[trials] < 0)),
            sets=self._sets,
            units=self._units,
        )
