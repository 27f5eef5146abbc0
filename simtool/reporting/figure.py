"""The figure of a report: a bar for each model and distance, a panel for each trial type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from simtool.reporting import words
from simtool.reporting.metrics import Metric
from simtool.reporting.report import Block, Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "figure_bytes", "write_figure"]

#: Okabe & Ito's palette, which people with any color vision tell apart; dark and light in turn, for grey prints.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")
INK = "#222222"
QUIET = "#666666"
BAND = "#E8E8E8"
BOUND = "#D4D4D4"
#: What would tell when, and by which release of which program, a file was drawn: left out, so that equal numbers
#: give equal files.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_STYLE: Any = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "svg.hashsalt": "simtool",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


def write_figure(path: Path, report: Report, kind: str, metric: Metric = Metric.TRIPLET_ACCURACY) -> None:
    """Draw a report into a file.

    Args:
        path: the file.
        report: the numbers.
        kind: ``png``, ``svg`` or ``pdf``.
        metric: which numbers.
    """
    path.write_bytes(figure_bytes(report, kind, metric))


def figure_bytes(report: Report, kind: str, metric: Metric = Metric.TRIPLET_ACCURACY) -> bytes:
    """Draw a report; the same numbers give the same bytes.

    Args:
        report: the numbers.
        kind: ``png``, ``svg`` or ``pdf``.
        metric: which numbers.
    """
    buffer = BytesIO()
    with mpl.rc_context(_STYLE):
        draw(report, metric).savefig(buffer, format=kind, dpi=200, metadata=_METADATA[kind])
    return buffer.getvalue()


def draw(report: Report, metric: Metric = Metric.TRIPLET_ACCURACY) -> Figure:
    """Draw a report: models from top to bottom, distances as neighboring bars, trial types from left to right.

    Bars start at chance, because that is where accuracy starts to mean something.

    Args:
        report: the numbers.
        metric: which of them.
    """
    blocks = list(report.blocks([metric]))
    layout = _Layout.of(blocks)
    height = 2.0 + 0.19 * layout.bottom
    width = 2.0 + max(2.75 * len(blocks), 4.4)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    panels: Sequence[Axes] = figure.subplots(
        1, len(blocks), sharey=True, sharex=len({block.chance for block in blocks}) == 1, squeeze=False
    )[0]
    for panel, block in zip(panels, blocks, strict=True):
        _draw_panel(panel, block, layout)
    panels[0].set_yticks(list(layout.centers), list(layout.centers_of))
    panels[0].set_ylim(layout.bottom, -0.1)
    figure.suptitle(report.title, fontsize=11, fontweight="bold")
    _draw_legend(figure, layout, blocks, report)
    return figure


@dataclass(frozen=True)
class _Layout:
    """Where bars stand.

    Attributes:
        place: of each model and distance, from the top.
        centers: of each model's bars.
        centers_of: the models.
        distances: in the order of their colors.
        bottom: below the last bar; how many bars high the panels are, gaps included.
    """

    place: dict[tuple[str, str], float]
    centers: tuple[float, ...]
    centers_of: tuple[str, ...]
    distances: tuple[str, ...]
    bottom: float

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> _Layout:
        """Models in the order of the first block; models that only a later one has, behind them."""
        rows = [row for block in blocks for row in block.rows]
        distances = tuple(sorted({row.distance for row in rows}, key=lambda name: (len(name), name)))
        place: dict[tuple[str, str], float] = {}
        centers: dict[str, float] = {}
        top = 0.5
        for model in dict.fromkeys(row.model for row in rows):
            own = [each for each in distances if any((row.model, row.distance) == (model, each) for row in rows)]
            for at, distance in enumerate(own):
                place[model, distance] = top + at
            centers[model] = top + (len(own) - 1) / 2
            top += len(own) + 0.6
        return cls(place, tuple(centers.values()), tuple(centers), distances, top - 0.75)

    def color(self, distance: str) -> str:
        """The color of a distance."""
        return COLORS[self.distances.index(distance) % len(COLORS)]


def _draw_panel(panel: Axes, block: Block, layout: _Layout) -> None:
    band = float(np.median([row.high - row.low for row in block.rows])) / 2
    panel.axvspan(block.chance - band, block.chance + band, color=BAND, lw=0, zorder=0)
    for row in block.rows:
        _draw_bar(panel, row, layout)
    panel.axvline(block.chance, color=INK, lw=0.9, zorder=3)
    if block.ceiling is not None:
        panel.axvspan(block.ceiling.lower, block.ceiling.upper, facecolor="none", edgecolor=BOUND, hatch="///", lw=0)
        panel.axvline(block.ceiling.upper, color=INK, lw=1.1, ls=(0, (4, 2)), zorder=3)
    left, right = _limits(block, band)
    before = panel.get_xlim() if panel.get_autoscalex_on() is False else (left, right)
    panel.set_xlim(min(left, before[0]), max(right, before[1]))
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_formatter(lambda value, _: words.accuracy(value, 2))
    panel.set_xlabel(block.metric.label.lower())
    first = block.rows[0]
    counts = f"{first.comparisons:,} comparisons" if block.same_trials else "models differ in trials"
    panel.set_title(f"{words.trials(block)}\n", fontsize=9.5, fontweight="bold")
    panel.text(0.5, 1.012, counts, transform=panel.transAxes, ha="center", fontsize=7.5, color=QUIET)


def _draw_bar(panel: Axes, row: Row, layout: _Layout) -> None:
    at = layout.place[row.model, row.distance]
    panel.barh(at, row.estimate - row.chance, left=row.chance, height=0.86, color=layout.color(row.distance), zorder=2)
    panel.hlines(at, row.low, row.high, color=INK, lw=1.1, zorder=4)
    panel.annotate(
        words.accuracy(row.estimate, 3),
        (max(row.high, row.chance), at),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=5,
    )


def _limits(block: Block, band: float) -> tuple[float, float]:
    """The ends of a panel's axis, with room for the numbers behind the bars."""
    ends = [block.chance - band, block.chance + band, *(end for row in block.rows for end in (row.low, row.high))]
    right = max(ends)
    span = max(right, block.ceiling.upper if block.ceiling else 0.0) - min(ends)
    right += 0.16 * span
    return min(ends) - 0.03 * span, max(right, block.ceiling.upper + 0.03 * span if block.ceiling else 0.0)


def _draw_legend(figure: Figure, layout: _Layout, blocks: Sequence[Block], report: Report) -> None:
    level = words.percent(report.settings.level)
    handles: list[Patch | Line2D] = [
        Patch(color=layout.color(distance), label=distance) for distance in layout.distances
    ]
    handles += [
        Line2D([], [], color=INK, lw=1.1, label=f"{level} interval"),
        Line2D([], [], color=INK, lw=0.9, marker="|", ls="", markersize=9, label="chance"),
        Patch(color=BAND, label=f"{level} of guessing models"),
    ]
    if any(block.ceiling for block in blocks):
        handles.append(Line2D([], [], color=INK, lw=1.1, ls=(0, (4, 2)), label="upper bound"))
        handles.append(Patch(facecolor="none", edgecolor=BOUND, hatch="///", label="down to its lower estimate"))
    legend = figure.legend(
        handles=handles,
        title="\n".join(words.method(report)),
        loc="outside lower center",
        ncols=4 if len(blocks) > 1 else 3,
        frameon=False,
        fontsize=7.5,
        title_fontsize=7.5,
    )
    legend.get_title().set_color(QUIET)
