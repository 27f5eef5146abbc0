"""How names, numbers and captions read, the same in every format."""

from __future__ import annotations

from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.inference import BEYOND
from simtool.analysis.report import ALL, FEW, Block, Difference, Report, Row, Sample
from simtool.errors import listed
from simtool.tables.observers import Observers
from simtool.text import counted, plural, printable

__all__ = [
    "UNTESTED",
    "accuracy",
    "block_caption",
    "difference",
    "difference_interval",
    "headline",
    "interval",
    "method",
    "name",
    "notes",
    "p_value",
    "percent",
    "signed",
    "trials",
]

#: In place of an interval and a p value of a difference that has neither.
UNTESTED = "too few to test"


def name(text: str) -> str:
    """A name from a table, in which nothing moves the cursor or ends the line."""
    return printable(text)


def accuracy(value: float, digits: int = 4) -> str:
    """A share without its leading zero: ``.5287``."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0")


def signed(value: float, digits: int = 4) -> str:
    """A difference of shares: ``+.0312``."""
    return ("-" if value < 0 else "+") + accuracy(abs(value), digits)


def interval(row: Row, dash: str = "–") -> str:
    """The ends of an interval of shares: ``.516–.541``."""
    return f"{accuracy(row.low, 3)}{dash}{accuracy(row.high, 3)}"


def difference_interval(gain: Difference) -> str:
    """The ends of an interval of a difference: ``+.012 to +.034``."""
    if gain.low is None or gain.high is None:
        return UNTESTED
    return f"{signed(gain.low, 3)} to {signed(gain.high, 3)}"


def p_value(value: float | None) -> str:
    """A p value to three places: ``.012``, ``<.001``; empty where nothing was tested."""
    if value is None:
        return ""
    return "<.001" if value < 0.001 else accuracy(value, 3)


def difference(gain: Difference | None) -> list[str]:
    """The cells of a difference: itself, its interval, its adjusted p value; empty where there is none."""
    return ["", "", ""] if gain is None else [signed(gain.estimate), difference_interval(gain), p_value(gain.p_holm)]


def percent(level: float) -> str:
    """A level: ``95 %``."""
    return f"{100 * level:.10g} %"


def trials(block: Block) -> str:
    """Which trials a block is about."""
    return "all trials" if block.trial_type == ALL else block.trial_type


def headline(block: Block) -> str:
    """What a block counts, on what, and what guessing gives."""
    first = block.rows[0]
    sizes = (counted(first.trials, "trials"), counted(first.comparisons, "comparisons"), "")
    counts = ", ".join(sizes) if block.same_trials else ""
    return f"{block.metric.label}, {trials(block)}: {counts}chance {accuracy(block.chance, 3)}"


def block_caption(block: Block) -> str | None:
    """What the upper bound of a block rests on, or why there is none."""
    found = block.ceiling
    if found is None:
        return None
    repeats = f"{found.repeated:,} of {counted(found.distinct, 'comparisons')}"
    judgments = counted(found.judgments, "judgments")
    if found.upper is None or found.lower is None or found.agreement is None:
        more = f"{repeats} {plural(found.repeated, 'were', 'was')} judged more than once ({judgments})"
        return f"No upper bound: {more}, and it takes {ENOUGH:,} such judgments."
    return (
        f"Upper bound {accuracy(found.upper, 3)}: how often people chose as the majority did, over the {repeats} that "
        f"were judged more than once ({judgments}); as the majority of the others {accuracy(found.lower, 3)}, as one "
        f"other {accuracy(found.agreement, 3)}."
    )


def method(report: Report) -> list[str]:
    """How the intervals were computed, one line for each kind of sample."""
    settings = report.settings
    how = f"{percent(settings.level)} intervals from {settings.replicates:,} replicates (seed {settings.seed})"
    lines = [f"{how} that resample {_resampled(sample)}." for sample in dict.fromkeys(report.samples)]
    if settings.weighted:
        lines.append("Every number weighs each trial by its weight; counts are of trials.")
    return lines


def _resampled(sample: Sample) -> str:
    text = f"{counted(sample.unit_count, sample.units)} and {counted(sample.images, 'images')} together"
    if sample.sets > 1:
        text += f", of {sample.sets} sets of trials pooled (the same name is the same one in all)"
    return "; ".join([text, *_judges(sample)])


def _judges(sample: Sample) -> list[str]:
    """What the table does not say about who judged, and what follows for the intervals."""
    whole = counted(sample.trials, "trials")
    if sample.people == 1 and not sample.nameless:
        return [f"one participant judged all, so {sample.units} are resampled and the intervals are about this person"]
    named = f"{sample.nameless:,} of {whole} {plural(sample.nameless, 'do', 'does')} not say who judged"
    if sample.units == "trials":
        lack = named if sample.people else "the table does not say which trials one person judged"
        return [f"{lack}, so the intervals may be too narrow"]
    found = [named] if sample.people and sample.nameless else []
    if sample.unresampled:
        lacking = f"{sample.unresampled:,} of {whole} {plural(sample.unresampled, 'do', 'does')} not name a session"
        found += [] if found else [lacking]
        rest = sample.trials - sample.unresampled
        found.append(f"all of them count in the accuracies, and the intervals rest on the other {rest:,}")
    return found


def notes(report: Report) -> list[str]:
    """What a reader has to know before comparing rows."""
    found = []
    if report.observers is Observers.SIMULATED:
        found.append("The observers were simulated: these are not judgments of people.")
    if any(not block.same_trials for block in report.blocks()) or len(report.samples) > 1:
        found.append(
            "Not all models were scored on the same trials, so their rows are not comparable. Trials of several "
            "tables are pooled for a model that has one name in all of them (--name)."
        )
    if report.shared:
        found.append(
            f"{counted(report.shared, 'judgments')} (the same person, images and choice) "
            f"{plural(report.shared, 'are', 'is')} in several of the pooled tables and "
            f"{plural(report.shared, 'count', 'counts')} each time: where tables overlap, leave one of them out."
        )
    found += _cautions(report)
    if report.unequal and not report.settings.weighted:
        found.append("The trials have different weights; here they all count the same (--weighted uses the weights).")
    return found + _comparison_notes(report)


def _cautions(report: Report) -> list[str]:
    """Why intervals are wide, or symmetric."""
    settings, found = report.settings, []
    few = {row.trial_type: _few(row.sample) for row in report.rows}
    if any(few.values()):
        alike = len(set(few.values())) == 1
        where = dict.fromkeys(text if alike else f"{text} in {scope}" for scope, text in few.items() if text)
        found.append(f"The intervals are wide: {'; '.join(where)} (fewer than {FEW}) say little about others.")
    if settings.replicates * (1 - settings.level) / 2 < BEYOND:
        found.append(
            f"{settings.replicates:,} replicates are too few for the shape of {percent(settings.level)} intervals, "
            "so these are symmetric (--replicates)."
        )
    return found


def _few(sample: Sample) -> str:
    """The units and images of which there are few: ``2 sessions and 3 images``; empty where there are enough."""
    counts = ((sample.unit_count, sample.units), (sample.images, "images"))
    return " and ".join(counted(number, things) for number, things in counts if number < FEW)


def _comparison_notes(report: Report) -> list[str]:
    """What could not be compared with the baseline, and what could not be tested."""
    baseline = report.settings.baseline
    if baseline is None:
        return []
    found = []
    others = [row for row in report.rows if row.model != baseline]
    if not others:
        found.append(f"There is no other model to compare with {name(baseline)}.")
    alone = dict.fromkeys(f"{name(row.model)} with {name(row.distance)}" for row in others if row.difference is None)
    if alone:
        found.append(
            f"Without a difference from {name(baseline)}, which has no row with the same distance on the same trials: "
            f"{listed(alone, most=8)}."
        )
    if any(row.difference and row.difference.p_value is None for row in others):
        found.append(
            "Too few to test: a difference that is the same wherever it was measured, or that rests on a single "
            "participant, session or trial, has no standard error."
        )
    return found
