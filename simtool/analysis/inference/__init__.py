"""What the accuracies of a finite sample say: intervals, and differences between models.

The comparisons of a trial share a person and a query, and all trials share a few hundred images, so a
binomial interval over comparisons is several times too narrow. An interval here is the percentiles of
replicates that resample people and images together (:func:`resample`), brought to the width that a
multiway cluster-robust variance gives (:func:`multiway_covariance`).
"""

from __future__ import annotations

from simtool.analysis.inference.bootstrap import Replicates, resample
from simtool.analysis.inference.intervals import BEYOND, Estimates, holm
from simtool.analysis.inference.multiway import Covariance, SharedClusters
from simtool.analysis.inference.observations import Observations, Units, choices_of, comparisons_of, units_of

__all__ = [
    "BEYOND",
    "Covariance",
    "Estimates",
    "Observations",
    "Replicates",
    "SharedClusters",
    "Units",
    "choices_of",
    "comparisons_of",
    "holm",
    "resample",
    "units_of",
]
