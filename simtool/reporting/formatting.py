"""Numbers, tables, captions and notes as text, the same in every view."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from simtool.analysis.baseline import Baseline
from simtool.analysis.inference.intervals import BEYOND, Difference, Interval
from simtool.analysis.inference.units import Units
from simtool.analysis.labels import SAME
from simtool.analysis.metrics import Order
from simtool.analysis.noise_ceiling import ENOUGH, NoiseCeiling, Reach
from simtool.analysis.report import Block, Report, Row, Sample
from simtool.analysis.strata import ALL
from simtool.errors import listed
from simtool.reporting.names import shortened
from simtool.tables.observers import Observers
from simtool.text import counted, plural
from simtool.text import printable as name

__all__ = [
    "EMPTY",
    "EQUAL",
    "FEW",
    "FIXED",
    "UNTESTED",
    "Named",
    "about",
    "accuracy",
    "baseline",
    "block_caption",
    "caption",
    "counts",
    "difference_interval",
    "ends",
    "entry",
    "headline",
    "interval",
    "label",
    "labels",
    "limits",
    "meaning_of_fixed",
    "method",
    "name",
    "notes",
    "p_value",
    "percent",
    "reach",
    "scope",
    "share",
    "shown_strata",
    "signed",
    "table",
    "trials",
    "trials_of",
]

#: The most cells of a label in a figure.
LONGEST = 48
#: Shown in place of a text without characters.
EMPTY = "(empty)"
#: Number of clusters or images below which a report warns of wide intervals.
FEW = 5
#: Shown in place of an interval of an accuracy that no choice can change.
FIXED = "fixed"
#: Shown in place of an interval if two models have equal credit everywhere.
EQUAL = "equal everywhere"
#: Shown in place of an interval and a p value if a difference has neither.
UNTESTED = "too few to test"


def label(*names: str) -> str:
    """Names as one label that no other label of a figure must differ from."""
    return labels([names])[0]


def labels(entries: Iterable[Sequence[str]], most: int = LONGEST) -> list[str]:
    """The labels of a figure, each of one or several names; labels of more than ``most`` letters stay different."""
    whole = [" ".join(map(name, names)).strip() or EMPTY for names in entries]
    short = shortened(whole, most) or {}
    shown = [short.get(text, text) for text in whole]
    return [f" {text}" if text.startswith("_") else text for text in shown]  # legends leave out such labels


class Named(Protocol):
    """Anything about a model with a distance."""

    @property
    def model(self) -> str:
        """The label of the embeddings."""

    @property
    def distance(self) -> str:
        """The name of the distance."""


def entry(named: Named) -> list[str]:
    """The cells that name a model and a distance. The name of a control says that it is untrained."""
    shown = name(named.model)
    if isinstance(named, Row) and named.untrained is not None and "untrained" not in shown:
        shown += ", untrained"
    return [shown, name(named.distance)]


def accuracy(value: float, digits: int = 4) -> str:
    """A share without its leading zero: ``.5287``."""
    return f"{value:.{digits}f}".removeprefix("0")


def signed(value: float, digits: int = 4) -> str:
    """A difference of shares: ``+.0312``."""
    return ("-" if value < 0 else "+") + accuracy(abs(value), digits)


def share(value: float, digits: int = 4) -> str:
    """A number near 0 to 1 that can be negative: ``.529``, ``-.013``."""
    return ("-" if round(value, digits) < 0 else "") + accuracy(abs(value), digits)


def ends(low: float | None, high: float | None, digits: int = 3) -> str:
    """The ends of an interval that can be negative: ``-.012 to .034``; empty if there is none."""
    return "" if low is None or high is None else f"{share(low, digits)} to {share(high, digits)}"


def interval(row: Row | Interval, dash: str = "–") -> str:
    """The ends of an interval of shares: ``.516–.541``; ``fixed`` if both are the estimate."""
    return FIXED if row.low == row.high else limits(row.low, row.high, dash)


def limits(low: float, high: float, dash: str = "–") -> str:
    """A lower and an upper limit of a share: ``.516–.541``."""
    return f"{accuracy(low, 3)}{dash}{accuracy(high, 3)}"


def difference_interval(gain: Difference) -> str:
    """The ends of an interval of a difference: ``+.012 to +.034``."""
    if gain.low is None or gain.high is None:
        return UNTESTED
    return f"{signed(gain.low, 3)} to {signed(gain.high, 3)}"


def p_value(value: float | None) -> str:
    """A p value with three digits: ``.012``, ``<.001``; empty if there was no test."""
    if value is None:
        return ""
    return "<.001" if value < 0.001 else accuracy(value, 3)


def percent(level: float) -> str:
    """A level: ``95 %``."""
    return f"{100 * level:.10g} %"


def trials(block: Block) -> str:
    """The trials of a block: ``all trials`` or a trial type."""
    return trials_of(block.trial_type)


def trials_of(stratum: str) -> str:
    """The trials of a stratum: ``all trials`` or a trial type."""
    return "all trials" if stratum == ALL else stratum


def shown_strata(names: Collection[str]) -> list[str]:
    """The strata to show: without ``all`` if there is one other only."""
    return [name for name in names if name != ALL or len(names) != 2]


def headline(block: Block) -> str:
    """The title of a block: its metric, its trials and the chance level."""
    first = block.rows[0]
    sizes = (counted(first.trials, "trials"), counted(first.comparisons, "comparisons"), "")
    counts = ", ".join(sizes) if block.same_trials else ""
    return f"{block.metric.label}, {trials(block)}: {counts}chance {accuracy(block.chance, 3)}"


def counts(block: Block) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of counts that say something: comparisons that differ, and ties if there are any."""
    shown = {"comparisons": not block.same_trials, "ties": any(row.ties for row in block.rows)}
    header = [name for name, is_shown in shown.items() if is_shown]
    return header, [[f"{getattr(row, name):,}" for name in header] for row in block.rows]


def table(block: Block, report: Report) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of a block's table: model and distance, then numbers.

    The headline states the chance level, and the number of comparisons if it is that of all rows. The counts are those
    of :func:`counts`.
    """
    level, baseline = percent(report.settings.level), name(report.settings.baseline or "")
    compared = any(row.difference for row in block.rows)
    counted_as, numbers = counts(block)
    header = ["model", "distance", "accuracy", f"{level} CI", *counted_as]
    header += [f"minus {baseline}", f"{level} CI", "p (Holm)"] if compared else []
    lines = []
    for row, own in zip(block.rows, numbers, strict=True):
        line = [*entry(row), accuracy(row.estimate), interval(row), *own]
        lines.append([*line, *(_difference(row.difference) if compared else [])])
    return header, lines


def _difference(gain: Difference | None) -> list[str]:
    """The cells of a difference: estimate, interval and adjusted p value; empty if there is none."""
    return ["", "", ""] if gain is None else [signed(gain.estimate), difference_interval(gain), p_value(gain.p_holm)]


def block_caption(block: Block, level: float) -> str | None:
    """The noise ceiling of a block, or the reason why there is none; None if the block can have none."""
    found = block.noise_ceiling
    if found is None:
        return None
    repeats = f"{found.repeated:,} of {counted(found.distinct, found.judged)}"
    judgments = counted(found.judgments, "judgments")
    if found.agreement is None or found.bracket is None or found.best is None:
        return f"No noise ceiling: several people judged {repeats} ({judgments}). It takes {ENOUGH:,} such judgments."
    low, high = (accuracy(end, 3) for end in found.bracket)
    sentences = [
        f"Noise ceiling, from the {repeats} that several people judged ({judgments}): one other person gives the same "
        f"answer with probability {accuracy(found.agreement.estimate, 3)} ({percent(level)} interval "
        f"{ends(found.agreement.low, found.agreement.high)}).",
        f"The best model that knows only the images is right in {low} to {high} of these judgments; the {found.form} "
        f"estimate is {accuracy(found.best.estimate, 3)} ({ends(found.best.low, found.best.high)}).",
        *_farthest(found),
    ]
    return " ".join(sentences)


def _farthest(found: NoiseCeiling) -> list[str]:
    """How far the best of the scored models gets on the repeated judgments."""
    first = max(found.reached, key=lambda reach: reach.accuracy.estimate)
    if first.share is None:
        return []
    return [
        f"{name(first.model)} with {name(first.distance)} is right in {accuracy(first.accuracy.estimate, 3)} of them, "
        f"{way(first.share.estimate)} of the way from chance to this estimate ({way(first.share.low)} to "
        f"{way(first.share.high)})."
    ]


def way(value: float) -> str:
    """A part of a way: ``84 %``."""
    return f"{100 * value:.0f} %"


def reach(found: Reach, dash: str = "–") -> list[str]:
    """The cells of a model on the repeated judgments: accuracy and share of the way, with their intervals."""
    cells = [accuracy(found.accuracy.estimate), interval(found.accuracy, dash)]
    if found.share is None:
        return [*cells, "", ""]
    return [*cells, way(found.share.estimate), f"{100 * found.share.low:.0f}{dash}{way(found.share.high)}"]


def method(report: Report) -> list[str]:
    """How the intervals were computed, one line for each sample."""
    settings = report.settings
    how = f"{percent(settings.level)} intervals from {settings.replicates:,} replicates (seed {settings.seed})"
    lines = [f"{how} that resample {_resampled(sample)}." for sample in dict.fromkeys(report.samples)]
    lines += dict.fromkeys(map(about, report.samples))
    if settings.weighted:
        lines.append("Each trial counts by its weight in every accuracy and interval. Counts are of trials.")
    return lines


def caption(report: Report) -> list[str]:
    """The lines below a figure, about its people and intervals: :func:`method` without advice about commands."""
    lines = [line.replace(_ADVICE, ".") for line in method(report)]
    if report.settings.order is Order.FAMILY:
        lines.append("A line beside names joins the models of a family.")
    return [*(["The observers were simulated."] if report.observers is Observers.SIMULATED else []), *lines]


#: Options that ask about other images, at the end of :func:`about`.
_ADVICE = " (--cluster class for new classes of images, --fixed-images for these very images)."
#: The units of images, in the plural and in the singular.
_UNITS = {
    Units.IMAGE: ("images", "image"),
    Units.CLASS: ("classes of images", "class of images"),
    Units.GROUP: ("groups of images", "group of images"),
}
#: The images for which intervals hold.
_ABOUT = {
    Units.IMAGE: "new images that are drawn like these",
    Units.CLASS: "images of new classes that are drawn like these classes",
    Units.GROUP: "images of new groups that are drawn like these groups",
    Units.NOTHING: "these very images",
}


def about(sample: Sample) -> str:
    """The sentence that says for what the intervals of a sample hold."""
    text = f"The intervals hold for {scope(sample)}"
    if sample.units is not Units.IMAGE:
        return f"{text}."
    return f"{text}{_ADVICE}"


def scope(sample: Sample) -> str:
    """The people and the images for which the intervals of a sample hold."""
    alone = sample.participants == 1 and not sample.unnamed
    people = f"new {sample.clusters} of this one participant" if alone else f"new {sample.clusters}"
    return f"{people} and {_ABOUT[sample.units]}"


def _resampled(sample: Sample) -> str:
    text = counted(sample.cluster_count, sample.clusters)
    if sample.units in _UNITS:
        text += f" and {counted(sample.images, *_UNITS[sample.units])} together"
    if sample.sets > 1:
        text += f", from {sample.sets} pooled sets of trials (equal names are the same participant or image)"
    return "; ".join([text, *_judges(sample)])


def _judges(sample: Sample) -> list[str]:
    """Missing names of participants or sessions, and their consequences for the intervals."""
    if sample.participants == 1 and not sample.unnamed:
        return [f"one participant judged all, so {sample.clusters} are resampled"]
    unnamed = _lacking(sample.unnamed, sample.trials, "participant")
    if sample.clusters == "trials":
        reason = unnamed if sample.participants else "the table does not say which trials one person judged"
        return [f"{reason}, so the intervals may be too narrow"]
    found = [unnamed] if sample.participants and sample.unnamed else []
    if sample.not_resampled:
        found += [] if found else [_lacking(sample.not_resampled, sample.trials, "session")]
        rest = sample.trials - sample.not_resampled
        found.append(f"the accuracies use all trials, and the intervals depend on the other {rest:,}")
    return found


def _lacking(number: int, whole: int, thing: str) -> str:
    return f"{number:,} of {counted(whole, 'trials')} {plural(number, 'do', 'does')} not name a {thing}"


def meaning_of_fixed(rows: Iterable[Row]) -> str:
    """The meaning of :data:`FIXED`; empty if the interval of no row is written so."""
    if not any(row.low == row.high for row in rows):
        return ""
    return (
        f"{FIXED.capitalize()}: all comparisons are tied, so the accuracy is the same whatever people choose, and has "
        "no interval."
    )


def notes(report: Report) -> list[str]:
    """Warnings for a reader who compares rows."""
    found = []
    if report.observers is Observers.SIMULATED:
        found.append("The observers were simulated: these are not judgments of people.")
    if any(not block.same_trials for block in report.blocks()) or len(report.samples) > 1:
        found.append(
            "Not all models were scored on the same trials, so their rows are not comparable. Give a model the same "
            "name in all tables (--name) to pool its trials."
        )
    if report.shared:
        found.append(
            f"{counted(report.shared, 'judgments')} (the same person, images and choice) "
            f"{plural(report.shared, 'are', 'is')} in several of the pooled tables and "
            f"{plural(report.shared, 'count', 'counts')} each time. If tables overlap, leave one of them out."
        )
    if report.unlabelled:
        found.append(f"There are no strata by labels: {report.unlabelled}.")
    if report.settings.consistency and {row.trial_type for row in report.rows} == {ALL}:
        found.append("Error consistency is computed for each trial type, not for all trials together (--trial-type).")
    found += _cautions(report)
    if meaning := meaning_of_fixed(report.rows):
        found.append(meaning)
    if report.unequal and not report.settings.weighted:
        found.append("The trials have different weights, but all count the same here (--weighted uses the weights).")
    return found + _comparison_notes(report) + _control_notes(report)


def _cautions(report: Report) -> list[str]:
    """Why intervals are wide, or symmetric."""
    settings, found = report.settings, []
    few = {row.trial_type: _few(row.sample) for row in report.rows}
    if any(few.values()):
        alike = len(set(few.values())) == 1
        where = dict.fromkeys(text if alike else f"{text} in {scope}" for scope, text in few.items() if text)
        found.append(f"The intervals are wide, because the sample is small: {'; '.join(where)} (fewer than {FEW}).")
    if settings.replicates * (1 - settings.level) / 2 < BEYOND:
        found.append(
            f"{settings.replicates:,} replicates are too few for the shape of {percent(settings.level)} intervals, "
            "so these are symmetric (--replicates)."
        )
    return found


def _few(sample: Sample) -> str:
    """The clusters and images of which there are few: ``2 sessions and 3 images``; empty if there are enough."""
    found = [counted(sample.cluster_count, sample.clusters)] if sample.cluster_count < FEW else []
    if sample.units in _UNITS and sample.images < FEW:
        found.append(counted(sample.images, *_UNITS[sample.units]))
    return " and ".join(found)


def baseline(found: Baseline) -> str:
    """The model that others are compared with, and its distance, in words."""
    distance = "the same distance" if found.distance is None else name(found.distance)
    return f"{name(found.model)} with {distance}"


def _comparison_notes(report: Report) -> list[str]:
    """The models that could not be compared with the baseline, and the differences that could not be tested."""
    baseline = report.settings.baseline
    if baseline is None:
        return []
    found = []
    others = [row for row in report.rows if not report.is_baseline(row)]
    if not others:
        found.append(f"There is no other model to compare with {name(baseline)}.")
    single = (row for row in others if row.difference is None and row.distance != SAME)
    alone = dict.fromkeys(f"{name(row.model)} with {name(row.distance)}" for row in single)
    if alone:
        found.append(
            f"Without a difference from {name(baseline)}, which has no row with the same distance on the same trials "
            f"(--baseline MODEL:DISTANCE compares all distances): {listed(alone, most=8)}."
        )
    if any(row.difference and row.difference.p_value is None for row in others):
        found.append(
            "Too few to test: a difference has no standard error if it is the same wherever it was measured, or if "
            "all its trials are of one participant, session or trial."
        )
    return found


def _control_notes(report: Report) -> list[str]:
    """The controls that belong to no model of the report."""
    matched = {(name, row.distance) for row in report.rows for gain in row.gains for name in gain.controls}
    rows = (row for row in report.rows if row.untrained is not None and (row.model, row.distance) not in matched)
    alone = dict.fromkeys(" with ".join(entry(row)) for row in rows)
    if not alone:
        return []
    return [
        "No trained model of the same architecture, preprocessing and layer was scored on the same trials with the "
        f"same distance: {listed(alone, most=8)}."
    ]
