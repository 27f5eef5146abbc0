"""How numbers and captions read, the same in every format."""

from __future__ import annotations

from simtool.reporting.report import ALL, Block, Difference, Report, Row, Sample

__all__ = [
    "accuracy",
    "block_caption",
    "difference",
    "headline",
    "interval",
    "method",
    "notes",
    "p_value",
    "percent",
    "signed",
    "trials",
]


def accuracy(value: float, digits: int = 4) -> str:
    """A share without its leading zero: ``.5287``."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0")


def signed(value: float, digits: int = 4) -> str:
    """A difference of shares: ``+.0312``."""
    return ("-" if value < 0 else "+") + accuracy(abs(value), digits)


def interval(row: Row | Difference, dash: str = "–") -> str:
    """The ends of an interval of shares: ``.516–.541``; of a difference: ``+.012 to +.034``."""
    if isinstance(row, Difference):
        return f"{signed(row.low, 3)} to {signed(row.high, 3)}"
    return f"{accuracy(row.low, 3)}{dash}{accuracy(row.high, 3)}"


def p_value(value: float) -> str:
    """A p value to three places: ``.012``, ``<.001``."""
    return "<.001" if value < 0.001 else accuracy(value, 3)


def difference(gain: Difference | None) -> list[str]:
    """The cells of a difference: itself, its interval, its adjusted p value; empty where there is none."""
    return ["", "", ""] if gain is None else [signed(gain.estimate), interval(gain), p_value(gain.p_holm)]


def percent(level: float) -> str:
    """A level: ``95 %``."""
    return f"{100 * level:g} %"


def trials(block: Block) -> str:
    """Which trials a block is about."""
    return "all trials" if block.trial_type == ALL else block.trial_type


def headline(block: Block) -> str:
    """What a block counts, on what, and what guessing gives."""
    first = block.rows[0]
    counts = f"{first.trials:,} trials, {first.comparisons:,} comparisons, " if block.same_trials else ""
    return f"{block.metric.label}, {trials(block)}: {counts}chance {accuracy(block.chance, 3)}"


def block_caption(block: Block) -> str | None:
    """What the upper bound of a block rests on."""
    bound = block.ceiling
    if bound is None:
        return None
    return (
        f"Upper bound {accuracy(bound.upper, 3)}: how often people chose as the majority did, over the "
        f"{bound.repeated:,} of {bound.distinct:,} comparisons that were judged more than once "
        f"({bound.judgments:,} judgments); as the majority of the others {accuracy(bound.lower, 3)}, "
        f"as one other {accuracy(bound.agreement, 3)}."
    )


def method(report: Report) -> list[str]:
    """How the intervals were computed, one line for each kind of sample."""
    settings = report.settings
    how = f"{percent(settings.level)} intervals from {settings.replicates:,} replicates (seed {settings.seed})"
    return [f"{how} that resample {_resampled(sample)}." for sample in dict.fromkeys(report.samples)]


def _resampled(sample: Sample) -> str:
    text = f"{sample.unit_count:,} {sample.units} and {sample.images:,} images together"
    if sample.units != "trials":
        return text
    return f"{text}; the table does not say which trials one person judged, so the intervals may be too narrow"


def notes(report: Report) -> list[str]:
    """What a reader has to know before comparing rows."""
    found = []
    if report.simulated:
        found.append("The observers were simulated: these are not judgments of people.")
    if any(not block.same_trials for block in report.blocks()) or len(report.samples) > 1:
        found.append("Not all models were scored on the same trials, so their rows are not comparable.")
    return found
