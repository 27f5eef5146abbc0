"""A report as one self-contained HTML page: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from platform import python_version

import matplotlib as mpl
import numpy as np

from simtool import __version__
from simtool.analysis.metrics import USUAL, Metric
from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting
from simtool.reporting.figure import figure_bytes, section_bytes
from simtool.reporting.sections import SECTIONS
from simtool.reporting.sections.section import Section, Sheet
from simtool.tables.provenance import Provenance

__all__ = ["to_html"]

_STYLE = """
:root { color-scheme: light; --ink: #222; --quiet: #666; --line: #ddd; --band: #f4f4f4; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; max-width: 76rem;
  margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.05rem; margin: 2.25rem 0 .5rem; }
.note { border-left: 4px solid #D55E00; background: #fdf3ec; padding: .5rem .8rem; }
figure { margin: 1.5rem 0; } figure svg { width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .5rem .28rem 0; white-space: nowrap; }
th { text-align: left; font-weight: 600; border-bottom: 1.5px solid var(--ink); white-space: normal;
  vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); } th.n, td.n { text-align: right; }
td.name { white-space: normal; overflow-wrap: anywhere; min-width: 16rem; }
tr.control td.name { padding-left: 1rem; }
td.bar { width: 26%; min-width: 5rem; padding-right: 0; } td.bar svg { display: block; width: 100%; height: 1rem; }
caption, .quiet { color: var(--quiet); font-size: .88rem; } caption { caption-side: bottom; text-align: left;
  padding-top: .5rem; white-space: normal; }
code { font-size: .85rem; overflow-wrap: anywhere; background: var(--band); padding: .05rem .25rem; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""

_EXPLANATION = {
    "Triplet accuracy": (
        "The share of comparisons (a query, a selected reference and another reference) in which the model finds the "
        "selected reference more similar to the query. Of odd-one-out judgments, each remaining image is compared: the "
        "other remaining image should be more similar to it than the odd one. Every comparison counts the same. A tie "
        "gets half credit."
    ),
    "Odd one of three right": (
        "The share of odd-one-out trials in which, of the odd one and two remaining images, the most similar pair of "
        "the model is the pair that remains. Pairs that are tied share the credit. A trial with more images counts as "
        "the mean over the pairs that remain."
    ),
    "First choice, choices in order and in any order": (
        "The share of trials in which the model makes the same first choice, the same choices in their order, and the "
        "same set of choices: the expectation if ties are broken at random. Ties are trials in which a tie mattered."
    ),
    "Intervals": (
        "The comparisons of a trial share an observer and a query, and all trials share a few images. An interval "
        "that treats comparisons as independent is several times too narrow. Each replicate draws a Poisson(1) weight "
        "for every observer (or session, or trial) and for every image, and a comparison has the product of the "
        "weights of its observer and its three images (Owen & Eckles 2012). The percentiles of the replicates give an "
        "interval its shape. The multiway cluster-robust standard error gives its width: two comparisons depend on "
        "each other if they share the observer or an image (Cameron, Gelbach & Miller 2011; Aronow, Samii & Assenova "
        "2015). If all comparisons are right, or all wrong, the interval is that of Wilson, for as many trials as "
        "there are observers or images, whichever are fewer. If all are tied, the accuracy is fixed. "
        "Trials that do not name an observer count in the accuracies only."
    ),
    "Strata by labels": (
        "A comparison shows an anchor (the query) and two other images. Class: exactly one of the two shares the class "
        "of the anchor. Group: else exactly one shares its group. Silent: labels do not tell the two apart. The strata "
        "depend on the images that were shown, never on the choice. The models called labels know the labels only: "
        "images with the same label are alike, and everything else is tied. The points of a stratum are its share of "
        "the comparisons times the accuracy minus chance there, so the points of all strata add up to the accuracy "
        "minus chance."
    ),
    "Difficulty": (
        "By agreement: whether two other judgments of the same comparison agree. The scored judgment is held out, "
        "because it would make comparisons that a model predicts look easy. By a space: the smaller of the two "
        "distances from the anchor divided by the larger. At equal difficulty, each grade of difficulty has the same "
        "share in all types of trials."
    ),
    "Participants": (
        "The accuracy on the judgments of one participant (or session). It varies by chance, because each participant "
        "judged only some trials. The SD by chance is the standard deviation that would result if the model predicted "
        "all participants equally well."
    ),
    "Differences": (
        "Model and baseline answer the same comparisons, so the variance that they share cancels. Intervals and "
        "two-sided p values use Student's distribution, with one degree of freedom less than there are observers or "
        "images, whichever are fewer. Holm's method adjusts the p values over the models of a table. A difference is "
        "not tested if it does not vary or depends on fewer than two observers."
    ),
    "Noise ceiling": (
        "From comparisons (or sets of three images) that several people judged; it takes "
        f"{ENOUGH:,} such judgments. The dashed line is the probability that one other person gives the same answer. "
        "The accuracy of the best model that knows only the images is at least that. It is at most "
        "1/K + sqrt((1 - 1/K) (agreement - 1/K)) for K answers, whatever the judgments are (Jensen's inequality). "
        "The estimate between these limits assumes that the probabilities of answers have a symmetric Beta "
        "(Dirichlet) distribution over comparisons. Repeated comparisons can be easier or harder than others, so "
        "models are compared with the noise ceiling on the same judgments. The interval of a model's share of the way "
        "from chance to the estimate holds the errors of both."
    ),
}


def to_html(report: Report, provenance: Provenance, metrics: Sequence[Metric] = USUAL) -> str:
    """Write a report as an HTML page.

    Args:
        report: the numbers.
        provenance: the tables of outcomes that they come from.
        metrics: the metrics that get a figure; all get a table.
    """
    body = [f"<h1>{escape(report.title)}</h1>"]
    body += [f'<p class="note">{escape(note)}</p>' for note in formatting.notes(report)]
    body += [f'<p class="quiet">{escape(line)}</p>' for line in formatting.method(report)]
    body += [_figure(report, metric) for metric in metrics if any(True for _ in report.blocks([metric]))]
    body += [_table(block, report) for block in report.blocks()]
    body += [part for section in SECTIONS for part in _section(section, report)]
    terms = (f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in _EXPLANATION.items())
    body += ["<h2>How the numbers were computed</h2>", f"<dl>{''.join(terms)}</dl>"]
    body += ["<h2>Where the numbers come from</h2>", _origin(provenance)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _figure(report: Report, metric: Metric) -> str:
    label = f"{metric.label}: a bar for each model and distance. The tables below hold the same numbers."
    return _drawing(figure_bytes(report, "svg", metric), label)


def _drawing(svg: bytes, label: str) -> str:
    drawing = svg.decode()
    drawing = drawing[drawing.index("<svg") :]
    return f'<figure role="img" aria-label="{escape(label)}">{drawing}</figure>'


def _section(section: Section, report: Report) -> list[str]:
    """The tables of a section and its figure."""
    sheets = section.sheets(report)
    parts = [_sheet(sheet) for sheet in sheets]
    drawing = section_bytes(section, report, "svg")
    if drawing is not None:
        title = sheets[0].title if sheets else section.name
        parts.append(_drawing(drawing, f"{title}. The tables hold the same numbers."))
    return parts


def _sheet(sheet: Sheet) -> str:
    lines = [f"<tr>{_cells('td', line, sheet.texts)}</tr>" for line in sheet.lines]
    return _framed(sheet.title, sheet.caption, _cells("th", sheet.header, sheet.texts), lines)


def _table(block: Block, report: Report) -> str:
    titles, cells = formatting.table(block, report, with_chance=True)
    scale = _Scale(block)
    lines = [
        f'<tr{_kind(block, row)}>{_cells("td", line)}<td class="bar">{scale.bar(row)}</td></tr>'
        for row, line in zip(block.rows, cells, strict=True)
    ]
    header = f'{_cells("th", titles)}<th aria-hidden="true"></th>'
    return _framed(formatting.headline(block), formatting.block_caption(block, report.settings.level), header, lines)


def _kind(block: Block, row: Row) -> str:
    """The class of a line: that of a control, which is below its model."""
    return ' class="control"' if block.is_control(row) else ""


def _framed(title: str, caption: str | None, header: str, lines: Sequence[str]) -> str:
    """A title and a table of HTML cells, with its caption."""
    below = "" if caption is None else f"<caption>{escape(caption)}</caption>"
    return (
        f'<h2>{escape(title)}</h2>\n<div class="scroll"><table>{below}'
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def _cells(tag: str, cells: Sequence[str], texts: int = 2) -> str:
    """A line of a table: columns of text (the model first), then numbers."""
    kinds = [' class="name"', *[""] * (texts - 1), *[' class="n"'] * (len(cells) - texts)]
    return "".join(f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in zip(kinds, cells, strict=True))


class _Scale:
    """Draws the bars of a table: from chance to the estimate, with the interval and the agreement of people."""

    def __init__(self, block: Block) -> None:
        self._agreement = block.agreement
        ends = [*block.ends, self._agreement or block.chance]
        self._left, self._width = min(ends), max(max(ends) - min(ends), 1e-9)

    def bar(self, row: Row) -> str:
        chance, estimate = self._at(row.chance), self._at(row.estimate)
        color = "#0072B2" if row.low > row.chance else "#D55E00" if row.high < row.chance else "#999"
        start, width = min(chance, estimate), abs(estimate - chance)
        marks = [
            f'<rect x="{start:.2f}" y="3" width="{width:.2f}" height="10" fill="{color}"/>',
            _line(self._at(row.low), 8, self._at(row.high), 8, "#222"),
            _line(chance, 0, chance, 16, "#222"),
        ]
        if self._agreement is not None:
            people = self._at(self._agreement)
            marks.append(_line(people, 0, people, 16, "#888", ' stroke-dasharray="3 2"'))
        return f'<svg viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">{"".join(marks)}</svg>'

    def _at(self, value: float) -> float:
        return 1 + 98 * (value - self._left) / self._width


def _line(x1: float, y1: float, x2: float, y2: float, color: str, more: str = "") -> str:
    ends = f'x1="{x1:.2f}" y1="{y1:g}" x2="{x2:.2f}" y2="{y2:g}"'
    return f'<line {ends} stroke="{color}" stroke-width="1.2" vector-effect="non-scaling-stroke"{more}/>'


def _origin(provenance: Provenance) -> str:
    files = "".join(
        f"<li><code>{escape(formatting.name(file.name))}</code> SHA-256 <code>{escape(file.sha256)}</code></li>"
        for file in provenance.inputs
    )
    command = formatting.name(" ".join(provenance.command))
    versions = f"Python {python_version()}, numpy {np.__version__}, matplotlib {mpl.__version__}"
    return (
        f"<p>Outcomes:</p><ul>{files}</ul><p>Command: <code>{escape(command)}</code></p>"
        f'<p class="quiet">simtool {escape(__version__)} ({escape(versions)}), {escape(provenance.created_at)}</p>'
    )
