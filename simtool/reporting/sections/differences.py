"""Records of differences between models."""

from __future__ import annotations

from simtool.analysis.inference.intervals import Difference
from simtool.analysis.report import Row
from simtool.reporting import formatting
from simtool.reporting.sections.section import Record

__all__ = ["numbers", "of_row"]


def numbers(found: Difference) -> Record:
    """The numbers of a difference."""
    return {
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "standard_error": found.standard_error,
        "p": found.p_value,
        "p_adjusted": found.p_holm,
    }


def of_row(row: Row, found: Difference, metric: str) -> Record:
    """A difference of an accuracy from others, apart from the names of the models.

    Args:
        row: the accuracy.
        found: the difference.
        metric: the name of this kind of difference.
    """
    return {
        "distance": row.distance,
        "trial_type": row.trial_type,
        "metric": metric,
        **numbers(found),
        "trials": row.trials,
        "comparisons": row.comparisons,
        "scope": formatting.scope(row.sample),
        "stratum": None if row.part is None else row.part.name,
        "by": None if row.part is None else row.part.by,
        "difference_of": row.metric.name,
    }
