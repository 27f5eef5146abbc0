"""The figure of a report: a bar for each model and distance, a panel for each trial type."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import Formatter
from rich.cells import cell_len

from simtool.analysis.metrics import TRIPLET_ACCURACY, Metric
from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting
from simtool.reporting.look import PLAIN, Look, panels
from simtool.reporting.names import shortened
from simtool.reporting.palette import BAND, COLORS, INK, QUIET
from simtool.reporting.sections.section import Section
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "figure_bytes", "section_bytes", "styled"]

#: Metadata that would state when, and by which release of a program, a file was drawn. It is left out, so that equal
#: numbers give equal files.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
#: Width of a character in inches: in the names of models, and in the smaller text below.
NAME_WIDTH, SMALL_WIDTH = 0.075, 0.066
#: The least width of a panel, and of a column of the legend, in inches.
PANEL, LEGEND = 1.9, 1.55
#: Cells in a line of the name of a model and of a distance, and lines that the cells of a name would fill.
NAME_LINE, DISTANCE_LINE, NAME_LINES = 50, 24, 4
#: Entries of the legend that are no distance: the interval, chance, one other person, and the limits of the best model.
MARKS = 4
#: The length of an axis if all values are equal.
SPAN = 0.05
#: The greatest number of pixels on a side of a PNG.
MOST_PIXELS = 65_000
#: Fonts for scripts that DejaVu lacks, where they are installed.
FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic"),
    *("WenQuanYi Zen Hei", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS"),
)
#: The mark of an untrained control.
_HOLLOW: Any = {"marker": "o", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": INK}
_STYLE: Any = {
    "text.parse_math": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "xtick.labelsize": "medium",
    "ytick.labelsize": "medium",
    "axes.titlesize": "medium",
    "axes.linewidth": 0.8,
}
#: Settings that a style sheet does not change: text stays text in files, equal numbers give equal files, and a file has
#: the width of its figure.
_FIXED: Any = {
    "text.usetex": False,
    "svg.hashsalt": "simtool",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.bbox": None,
}


def figure_bytes(report: Report, kind: str, metric: Metric = TRIPLET_ACCURACY, look: Look = PLAIN) -> bytes:
    """Draw a metric as ``png``, ``svg`` or ``pdf``. The same numbers give the same bytes."""
    with styled(look):
        return _saved(draw(report, metric, look), kind)


def section_bytes(section: Section, report: Report, kind: str, look: Look = PLAIN) -> bytes | None:
    """Draw the figure of a section, as :func:`figure_bytes` does; None if it has none."""
    if section.draw is None:
        return None
    with styled(look):
        figure = section.draw(report, look)
        if figure is None:
            return None
        if look.title:
            figure.suptitle(formatting.name(look.title), fontsize="large", fontweight="bold")
        return _saved(figure, kind)


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = BytesIO()
    dpi = min(300.0, MOST_PIXELS / max(figure.get_size_inches()))
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue()


@contextmanager
def styled(look: Look = PLAIN) -> Iterator[None]:
    """Draw names letter by letter, never as mathematics. A letter without a font becomes a box, without a warning."""
    installed = {font.name for font in fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in FALLBACKS if name in installed)]
    settings = {**_STYLE, "font.family": families, **(look.style or {}), "font.size": look.points, **_FIXED}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def _wrapped(names: Iterable[str], width: int) -> list[str]:
    """Names in lines of a width. Long names are cut and stay different."""
    whole = [*map(formatting.name, names)]
    short = shortened(whole, width * NAME_LINES) or {}
    return [_in_lines(short.get(text, text), width) for text in whole]


def _in_lines(text: str, width: int) -> str:
    width = max(1, width * len(text) // max(cell_len(text), 1))
    return "\n".join(textwrap.wrap(text, width)) or text


def draw(report: Report, metric: Metric = TRIPLET_ACCURACY, look: Look = PLAIN) -> Figure:
    """Draw a metric: models from top to bottom, distances as neighboring bars, trial types from left to right.

    Bars start at chance. Where the width is too small for all trial types, some are below each other. Draw and save the
    figure inside :func:`styled`.
    """
    blocks = list(report.blocks([metric]))
    layout = _Layout.of(blocks, look)
    names = max(2.0, 0.5 + layout.longest) if look.width is None else 0.2 + layout.longest
    across = look.across(names, PANEL, len(blocks))
    down = math.ceil(len(blocks) / across)
    width = look.wide(names + max(2.75 * len(blocks), 4.4))
    method = [
        line
        for text in formatting.caption(report)
        for line in textwrap.wrap(text, max(20, int((width - 0.3) / (look.scale * SMALL_WIDTH))))
    ]
    columns = look.across(0, LEGEND, 4 if len(blocks) > 1 else 3)
    below = 0.15 * (len(method) + layout.legend_lines(columns))
    height = look.scale * (0.5 + below + down * (0.75 + 0.19 * layout.bottom) + 0.3 * bool(look.title))
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.06))
    same_chance = len({block.chance for block in blocks}) == 1
    made = panels(figure, len(blocks), across, sharey=True, sharex=same_chance)
    for panel, block in zip(made, blocks, strict=True):
        _draw_panel(panel, block, layout)
        panel.tick_params(labelbottom=True)
    made[0].set_yticks(list(layout.centers), list(layout.centers_of))
    made[0].set_ylim(layout.bottom, -0.1)
    if look.title:
        figure.suptitle(formatting.name(look.title), fontsize="large", fontweight="bold")
    _draw_legend(figure, layout, blocks, report, method, columns)
    return figure


@dataclass(frozen=True)
class _Layout:
    """The positions of bars, in heights of a bar from the top.

    Attributes:
        place: position of each model and distance.
        centers: center of the bars of each model.
        centers_of: names of the models, in lines.
        distances: names of the distances, in the order of their colors.
        bottom: position below the last bar: the height of the panels.
        controls: whether some bar shows controls.
        longest: width of the longest line of a name in inches, with text of the usual size.
    """

    place: dict[tuple[str, str], float]
    centers: tuple[float, ...]
    centers_of: tuple[str, ...]
    distances: tuple[str, ...]
    bottom: float
    controls: bool
    longest: float

    @classmethod
    def of(cls, blocks: Sequence[Block], look: Look) -> _Layout:
        """Place the models in the order of the first block, and after them models that only later blocks have."""
        rows = [row for block in blocks for row in _bars(block)]
        distances = tuple(sorted({row.distance for row in rows}, key=lambda name: (len(name), name)))
        place: dict[tuple[str, str], float] = {}
        centers: list[float] = []
        models = tuple(dict.fromkeys(row.model for row in rows))
        names = tuple(_wrapped(models, min(NAME_LINE, int(look.named(NAME_LINE * NAME_WIDTH) / NAME_WIDTH))))
        top = 0.5
        for model, name in zip(models, names, strict=True):
            own = [each for each in distances if any((row.model, row.distance) == (model, each) for row in rows)]
            room = max(len(own), 0.8 * (1 + name.count("\n")))
            for at, distance in enumerate(own):
                place[model, distance] = top + at + (room - len(own)) / 2
            centers.append(top + (room - 1) / 2)
            top += room + 0.6
        longest = NAME_WIDTH * max(cell_len(line) for name in names for line in name.split("\n"))
        return cls(place, tuple(centers), names, distances, top - 0.75, any(row.gains for row in rows), longest)

    @property
    def labels(self) -> list[str]:
        """The distances in the legend."""
        return _wrapped(self.distances, DISTANCE_LINE)

    def legend_lines(self, columns: int) -> int:
        """The greatest number of text lines of a legend with some columns."""
        tallest = max(1 + text.count("\n") for text in self.labels)
        return tallest * math.ceil((len(self.distances) + MARKS + self.controls) / columns)

    def color(self, distance: str) -> str:
        """The color of a distance."""
        return COLORS[self.distances.index(distance) % len(COLORS)]


class _Ticks(Formatter):
    """Accuracies with two decimals, or with more where ticks are closer."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        step = min((abs(one - other) for one, other in pairwise(values)), default=1.0)
        digits = next((digits for digits in (2, 3, 4, 5) if math.isclose(step, round(step, digits), rel_tol=1e-6)), 6)
        return [formatting.accuracy(value, digits) for value in values]


def _bars(block: Block) -> list[Row]:
    """The rows that are bars: all but controls, which are marks on the bars of their models."""
    return [row for row in block.rows if not block.is_control(row)]


def _draw_panel(panel: Axes, block: Block, layout: _Layout) -> None:
    for row in _bars(block):
        _draw_bar(panel, row, layout)
        for gain in row.gains[:1]:
            places = [layout.place[row.model, row.distance]] * len(gain.untrained)
            panel.plot(gain.untrained, places, ls="", zorder=5, **_HOLLOW)
    panel.axvline(block.chance, color=INK, lw=0.9, zorder=3)
    if (bracket := _bracket(block)) is not None and block.agreement is not None:
        panel.axvspan(*bracket, color=BAND, alpha=0.6, lw=0, zorder=0)
        panel.axvline(block.agreement, color=INK, lw=1.1, ls=(0, (4, 2)), zorder=3)
    left, right = _limits(block)
    before = panel.get_xlim() if panel.get_autoscalex_on() is False else (left, right)
    panel.set_xlim(min(left, before[0]), max(right, before[1]))
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_formatter(_Ticks())
    panel.set_xlabel(block.metric.label.lower())
    first = block.rows[0]
    counts = counted(first.comparisons, "comparisons") if block.same_trials else "models differ in trials"
    panel.set_title(f"{formatting.trials(block)}\n", fontweight="bold")
    panel.text(0.5, 1.012, counts, transform=panel.transAxes, ha="center", fontsize="small", color=QUIET)


def _draw_bar(panel: Axes, row: Row, layout: _Layout) -> None:
    at = layout.place[row.model, row.distance]
    panel.barh(at, row.estimate - row.chance, left=row.chance, height=0.86, color=layout.color(row.distance), zorder=2)
    panel.hlines(at, row.low, row.high, color=INK, lw=1.1, zorder=4)
    panel.annotate(
        formatting.accuracy(row.estimate, 3),
        (max(row.high, row.chance), at),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=5,
    )


def _limits(block: Block) -> tuple[float, float]:
    """The ends of the axis of a panel, with space for the numbers after the bars."""
    ends = block.ends
    highest = max([*ends, *(_bracket(block) or ())])
    span = highest - min(ends)
    span = SPAN if math.isclose(span, 0, abs_tol=1e-9) else span
    return min(ends) - 0.03 * span, max(max(ends) + 0.16 * span, highest + 0.03 * span)


def _bracket(block: Block) -> tuple[float, float] | None:
    return None if block.noise_ceiling is None else block.noise_ceiling.bracket


def _draw_legend(
    figure: Figure, layout: _Layout, blocks: Sequence[Block], report: Report, method: Sequence[str], columns: int
) -> None:
    level = formatting.percent(report.settings.level)
    handles: list[Patch | Line2D] = [
        Patch(color=layout.color(distance), label=label)
        for distance, label in zip(layout.distances, layout.labels, strict=True)
    ]
    handles += [
        Line2D([], [], color=INK, lw=1.1, label=f"{level} interval"),
        Line2D([], [], color=INK, lw=0.9, marker="|", ls="", markersize=9, label="chance"),
    ]
    if layout.controls:
        handles.append(Line2D([], [], ls="", label="untrained", **_HOLLOW))
    if any(block.agreement is not None for block in blocks):
        handles.append(Line2D([], [], color=INK, lw=1.1, ls=(0, (4, 2)), label="noise ceiling: one other person"))
        limits = "limits of the best model"
        handles.append(Patch(color=BAND, alpha=0.6, lw=0, label=limits))
    legend = figure.legend(
        handles=handles,
        title="\n".join(method),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize="small",
        title_fontsize="small",
    )
    legend.get_title().set(color=QUIET, multialignment="center")
