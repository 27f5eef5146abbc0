"""The result of a report in two sentences, and the size of its data, for the first screen."""

from __future__ import annotations

from simtool.analysis.inference.units import Units
from simtool.analysis.labels import SAME
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting
from simtool.text import counted

__all__ = ["best", "ceiling", "data", "result"]

#: The name of these units where they are counted.
_UNITS = {Units.IMAGE: "images", Units.CLASS: "classes of images", Units.GROUP: "groups of images"}


def best(block: Block) -> Row | None:
    """The most accurate model of a table, without labels and controls; None if there is no model."""
    rows = [row for row in block.rows if row.distance != SAME and row.untrained is None]
    return max(rows, key=lambda row: row.estimate, default=None)


def result(report: Report) -> str:
    """One sentence: which model predicts best, how well, and the accuracy of guessing."""
    block = next(report.blocks(), None)
    row = None if block is None else best(block)
    if block is None or row is None:
        return ""
    level = formatting.percent(report.settings.level)
    interval = "" if row.low == row.high else f" ({level} interval {_percent(row.low)} to {_percent(row.high)})"
    return (
        f"{formatting.name(row.model)} with {formatting.name(row.distance)} predicts {_percent(row.estimate)} of the "
        f"{_counted(row)}{interval}; guessing predicts {_percent(row.chance)}."
    )


def _counted(row: Row) -> str:
    """The comparisons or trials that a metric counts."""
    if row.metric is TRIPLET_ACCURACY:
        return counted(row.comparisons, "comparisons")
    return counted(row.trials, "trials")


def ceiling(report: Report) -> str | None:
    """How far the best model is from people, where several people judged the same; None without a noise ceiling."""
    for block in report.blocks():
        found = block.noise_ceiling
        if found is None or found.agreement is None or found.bracket is None:
            continue
        shares = [(each, each.share) for each in found.reached if each.share is not None and each.distance != SAME]
        if not shares:
            continue
        first, share = max(shares, key=lambda each: each[0].accuracy.estimate)
        low, high = map(_percent, found.bracket)
        return (
            f"Where several people judged the same ({formatting.trials(block)}), one other person agrees in "
            f"{_percent(found.agreement.estimate)}, and the best possible model is right in {low} to {high}. "
            f"{formatting.name(first.model)} with {formatting.name(first.distance)} covers "
            f"{formatting.way(share.estimate)} of the way from guessing to the estimate of this noise ceiling."
        )
    return None


def data(report: Report) -> list[tuple[str, str]]:
    """The size of the data: what was counted, and how many there are."""
    sample = report.samples[0]
    block = next(report.blocks(), None)
    first = None if block is None else block.rows[0]
    found = [("judgments", f"{sum(each.trials for each in report.samples):,}")]
    if first is not None and first.comparisons != first.trials:
        found.append(("comparisons", f"{first.comparisons:,}"))
    if sample.clusters != "trials":
        found.append((sample.clusters, f"{sample.cluster_count:,}"))
    if sample.units in _UNITS:
        found.append((_UNITS[sample.units], f"{sample.images:,}"))
    models = {row.model for row in report.rows if row.untrained is None and row.distance != SAME}
    found.append(("models", f"{len(models):,}"))
    return found


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
