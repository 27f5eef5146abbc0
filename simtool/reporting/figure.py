"""The figure of a report: a bar for each model and distance, a panel for each trial type."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from rich.cells import cell_len

from simtool.analysis.metrics import TRIPLET_ACCURACY, Metric, Order
from simtool.analysis.report import Block, Report, Row
from simtool.errors import listed
from simtool.reporting import formatting
from simtool.reporting.axes import Accuracies, bare
from simtool.reporting.fonts import USUAL, advice, fonts_with, is_installed, missing_letters
from simtool.reporting.look import INCH, PLAIN, SIZES, Look, panels
from simtool.reporting.names import shortened
from simtool.reporting.palette import BAND, COLORS, INK, QUIET
from simtool.reporting.sections.section import Section
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawing", "draw", "drawn", "drawn_section", "figure_bytes", "section_bytes", "styled"]

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
#: The height of a bar in inches, with text of the usual size: in a figure as wide as its content, and in a column.
BAR, NARROW_BAR = 0.19, 0.145
#: The space between families, in heights of a bar, and between their line and the names, in points.
FAMILY_GAP, FAMILY_PAD = 0.5, 7
#: Entries of the legend that are no distance: the interval, chance, one other person, and the limits of the best model.
MARKS = 4
#: The length of an axis if all values are equal.
SPAN = 0.05
#: The greatest number of pixels on a side of a PNG.
MOST_PIXELS = 65_000
#: The height of a page in millimeters, without its margins.
PAGE = 247
#: The mark of an untrained control.
_HOLLOW: Any = {"marker": "o", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": INK}
_STYLE: Any = {
    "text.parse_math": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "font.family": [USUAL],
    **SIZES,
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


@dataclass(frozen=True)
class Drawing:
    """A figure as a file.

    Attributes:
        content: the bytes of the file.
        notes: what a reader of the figure would miss: letters without a font, a page that is too short.
    """

    content: bytes
    notes: tuple[str, ...] = ()


def figure_bytes(report: Report, kind: str, metric: Metric = TRIPLET_ACCURACY, look: Look = PLAIN) -> bytes:
    """The file of :func:`drawn`."""
    return drawn(report, kind, metric, look).content


def section_bytes(section: Section, report: Report, kind: str, look: Look = PLAIN) -> bytes | None:
    """The file of :func:`drawn_section`; None if there is nothing to draw."""
    found = drawn_section(section, report, kind, look)
    return None if found is None else found.content


def drawn(report: Report, kind: str, metric: Metric = TRIPLET_ACCURACY, look: Look = PLAIN) -> Drawing:
    """Draw a metric as ``png``, ``svg`` or ``pdf``. The same numbers give the same bytes."""
    found = _drawn(lambda: draw(report, metric, look), kind, look)
    if found is None:
        raise ValueError("a report without rows has no figure")
    return found


def drawn_section(section: Section, report: Report, kind: str, look: Look = PLAIN) -> Drawing | None:
    """Draw the figure of a section, as :func:`drawn` does; None if it has none."""
    make = section.draw
    if make is None:
        return None

    def titled() -> Figure | None:
        figure = make(report, look)
        if figure is not None:
            _entitle(figure, look)
        return figure

    return _drawn(titled, kind, look)


def _entitle(figure: Figure, look: Look) -> None:
    if look.title:
        figure.suptitle(formatting.name(look.title), fontweight="bold")


def _drawn(make: Callable[[], Figure | None], kind: str, look: Look) -> Drawing | None:
    """Draw and save a figure; once more if other installed fonts have letters that the usual fonts lack."""
    found = _saved(make, kind, look)
    if found is not None and found[2] and (fonts := fonts_with(found[2])):
        found = _saved(make, kind, look, fonts)
    if found is None:
        return None
    content, height, missing = found
    notes = [advice(missing)] if missing else []
    settings: dict[Any, Any] = {**(look.style or {})}
    with mpl.rc_context(settings):
        families = mpl.rcParams["font.family"] if "font.family" in settings else [USUAL]
        if not any(map(is_installed, families)):
            notes.append(f"no font {listed(families)} of the style sheet is installed: the font is {USUAL}")
    if look.width is not None and height > PAGE:
        notes.append(
            f"the figure is {height:.0f} mm high, more than a page ({PAGE} mm): --trial-type shows one type of trials, "
            "a larger --width puts panels side by side"
        )
    return Drawing(content, tuple(notes))


def _saved(
    make: Callable[[], Figure | None], kind: str, look: Look, fonts: Sequence[str] = ()
) -> tuple[bytes, float, frozenset[str]] | None:
    """The file of a figure, its height in millimeters, and the letters without a font; None without a figure."""
    buffer = BytesIO()
    with missing_letters() as missing, styled(look, fonts):
        figure = make()
        if figure is None:
            return None
        dpi = min(300.0, MOST_PIXELS / max(figure.get_size_inches()))
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue(), INCH * figure.get_figheight(), frozenset(missing)


@contextmanager
def styled(look: Look = PLAIN, fonts: Sequence[str] = ()) -> Iterator[None]:
    """Draw names letter by letter, never as mathematics.

    Args:
        look: of the figure.
        fonts: for letters that the usual font lacks.
    """
    settings: dict[Any, Any] = {**_STYLE, **(look.style or {}), "font.size": look.points, **_FIXED}
    with mpl.rc_context(settings):
        found = filter(is_installed, mpl.rcParams["font.family"])
        mpl.rcParams["font.family"] = list(dict.fromkeys([*found, USUAL, *fonts]))
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
    layout = _Layout.of(blocks, look, report.settings.order is Order.FAMILY)
    names = max(2.0, 0.5 + layout.longest) if look.width is None else 0.2 + layout.longest
    across = look.across(names, PANEL, len(blocks))
    down = math.ceil(len(blocks) / across)
    width = look.wide(names + max(2.75 * len(blocks), 4.4))
    method = [
        line
        for text in formatting.caption(report)
        for line in textwrap.wrap(text, max(20, int((width - 0.3) / (look.scale * SMALL_WIDTH))))
    ]
    bar = BAR if look.width is None else NARROW_BAR
    columns = look.across(0, LEGEND, 4 if len(blocks) > 1 else 3)
    below = 0.15 * (len(method) + layout.legend_lines(columns))
    height = look.scale * (0.5 + below + down * (0.75 + bar * layout.bottom) + 0.3 * bool(look.title))
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.06))
    same_chance = len({block.chance for block in blocks}) == 1
    made = panels(figure, len(blocks), across, sharey=True, sharex=same_chance)
    for panel, block in zip(made, blocks, strict=True):
        _draw_panel(panel, block, layout)
        panel.tick_params(labelbottom=True)
    made[0].set_yticks(list(layout.centers), list(layout.centers_of))
    made[0].set_ylim(layout.bottom, -0.1)
    _entitle(figure, look)
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
        families: the position above the first bar and below the last one of each family of several models.
    """

    place: dict[tuple[str, str], float]
    centers: tuple[float, ...]
    centers_of: tuple[str, ...]
    distances: tuple[str, ...]
    bottom: float
    controls: bool
    longest: float
    families: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, blocks: Sequence[Block], look: Look, by_family: bool = False) -> _Layout:
        """Place the models in the order of the first block, and after them models that only later blocks have."""
        rows = [row for block in blocks for row in _bars(block)]
        distances = tuple(sorted({row.distance for row in rows}, key=lambda name: (len(name), name)))
        place: dict[tuple[str, str], float] = {}
        centers: list[float] = []
        models = tuple(dict.fromkeys(row.model for row in rows))
        names = tuple(_wrapped(models, min(NAME_LINE, int(look.named(NAME_LINE * NAME_WIDTH) / NAME_WIDTH))))
        family = {row.model: row.family for row in rows} if by_family else {}
        spans: dict[str, list[tuple[float, float]]] = {}
        top, before = 0.5, ""
        for model, name in zip(models, names, strict=True):
            top += FAMILY_GAP * bool(spans and family[model] != before)
            before = family.get(model, "")
            own = [each for each in distances if any((row.model, row.distance) == (model, each) for row in rows)]
            room = max(len(own), 0.8 * (1 + name.count("\n")))
            for at, distance in enumerate(own):
                place[model, distance] = top + at + (room - len(own)) / 2
            centers.append(top + (room - 1) / 2)
            if by_family:
                spans.setdefault(before, []).append((top - 0.5, top + room - 0.5))
            top += room + 0.6
        longest = NAME_WIDTH * max(cell_len(line) for name in names for line in name.split("\n"))
        several = tuple((own[0][0], own[-1][1]) for own in spans.values() if len(own) > 1)
        return cls(
            place, tuple(centers), names, distances, top - 0.75, any(row.gains for row in rows), longest, several
        )

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


def _bars(block: Block) -> list[Row]:
    """The rows that are bars: all but controls, which are marks on the bars of their models."""
    return [row for row in block.rows if not block.is_control(row)]


def _draw_panel(panel: Axes, block: Block, layout: _Layout) -> None:
    for row in _bars(block):
        _draw_bar(panel, row, layout)
        for gain in row.gains[:1]:
            places = [layout.place[row.model, row.distance]] * len(gain.untrained)
            panel.plot(gain.untrained, places, ls="", zorder=5, **_HOLLOW)
    beside = panel.get_subplotspec()
    for ends in layout.families if beside is not None and beside.is_first_col() else ():
        panel.plot([-0.02, -0.02], ends, transform=panel.get_yaxis_transform(), color=QUIET, lw=1.2, clip_on=False)
        panel.tick_params(axis="y", pad=FAMILY_PAD)
    panel.axvline(block.chance, color=INK, lw=0.9, zorder=3)
    if (bracket := _bracket(block)) is not None and block.agreement is not None:
        panel.axvspan(*bracket, color=BAND, alpha=0.6, lw=0, zorder=0)
        panel.axvline(block.agreement, color=INK, lw=1.1, ls=(0, (4, 2)), zorder=3)
    left, right = _limits(block)
    before = panel.get_xlim() if panel.get_autoscalex_on() is False else (left, right)
    panel.set_xlim(min(left, before[0]), max(right, before[1]))
    bare(panel)
    panel.xaxis.set_major_formatter(Accuracies())
    panel.set_xlabel(block.metric.label.lower())
    first = block.rows[0]
    counts = counted(first.comparisons, "comparisons") if block.same_trials else "models differ in trials"
    panel.set_title(f"{formatting.trials(block)}\n", fontweight="bold")
    panel.text(0.5, 1.012, counts, transform=panel.transAxes, ha="center", fontsize="small", color=QUIET)


def _draw_bar(panel: Axes, row: Row, layout: _Layout) -> None:
    at = layout.place[row.model, row.distance]
    panel.barh(at, row.estimate - row.chance, left=row.chance, height=0.86, color=layout.color(row.distance), zorder=2)
    edge = [withStroke(linewidth=2, foreground="white")]
    panel.hlines(at, row.low, row.high, color=INK, lw=1.1, zorder=4, path_effects=edge)
    panel.annotate(
        formatting.accuracy(row.estimate, 3),
        (max(row.high, row.chance), at),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        path_effects=edge,
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
    )
    legend.get_title().set(color=QUIET, multialignment="center")
