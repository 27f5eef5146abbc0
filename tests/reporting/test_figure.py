"""The figure: what it shows, and that it is reproducible."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from simtool.analysis.metrics import TRIPLET_ACCURACY, Order
from simtool.analysis.report import Report
from simtool.reporting import figure as module
from simtool.reporting.figure import draw, figure_bytes, styled
from simtool.reporting.look import COLUMNS, Look
from simtool.reporting.palette import COLORS
from tests.reporting.conftest import make_report


def test_every_trial_type_has_a_panel_and_every_row_a_bar(report: Report) -> None:
    figure = draw(report)
    blocks = list(report.blocks([TRIPLET_ACCURACY]))
    assert [axes.get_title().strip() for axes in figure.axes] == ["all trials", "8-rank-2", "2-choose-1"]
    for axes, block in zip(figure.axes, blocks, strict=True):
        ends = sorted(bar.get_x() + bar.get_width() for bar in axes.containers for bar in bar)
        assert ends == pytest.approx(sorted(row.estimate for row in block.rows))
        low, high = axes.get_xlim()
        assert all(low < row.low <= row.high < high for row in block.rows)


def test_models_are_labeled_once_in_the_order_of_accuracy(report: Report) -> None:
    figure = draw(report)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    first = next(report.blocks([TRIPLET_ACCURACY]))
    assert labels == list(dict.fromkeys(row.model for row in first.rows))


@pytest.mark.parametrize(("half", "digits"), [(0.2, 2), (0.02, 2), (0.004, 3), (0.0004, 4)])
def test_ticks_show_their_exact_values_on_a_narrow_axis(report: Report, half: float, digits: int) -> None:
    rows = (replace(row, estimate=0.5, low=0.5 - half, high=0.5 + half) for row in report.rows)
    figure = draw(replace(report, rows=tuple(rows), noise_ceilings=()))
    figure.draw_without_rendering()
    axis = figure.axes[0].xaxis
    labels = [label.get_text() for label in axis.get_ticklabels()]
    assert [float(label) for label in labels] == pytest.approx(list(axis.get_ticklocs()), abs=1e-9)
    assert len(labels[0].partition(".")[2]) >= digits


def test_distances_keep_their_colors(report: Report) -> None:
    figure = draw(report)
    (legend,) = figure.legends
    named = dict(zip([text.get_text() for text in legend.get_texts()], legend.legend_handles, strict=True))
    assert {"mse", "cosine", "chance", "noise ceiling: one other person"} <= set(named)
    used = {bar.get_facecolor() for axes in figure.axes for bars in axes.containers for bar in bars}
    assert len(used) == 2
    assert len(set(COLORS)) == len(COLORS)


def test_the_caption_says_that_observers_were_simulated(report: Report, simulated: Report) -> None:
    captions = [draw(each).legends[0].get_title().get_text() for each in (report, simulated)]
    assert ["The observers were simulated." in caption for caption in captions] == [False, True]


def test_there_is_no_title_unless_one_is_given(report: Report) -> None:
    assert not draw(report).get_suptitle()
    assert draw(report, look=Look("Birds <b>& $5_{")).get_suptitle() == "Birds <b>& $5_{"


@pytest.mark.parametrize(("column", "panels"), [("single", (3, 1)), ("double", (2, 2))])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_has_the_width_of_its_column(report: Report, column: str, panels: tuple[int, int], kind: str) -> None:
    look = Look(width=COLUMNS[column])
    content = figure_bytes(report, kind, look=look)
    if kind == "png":
        with Image.open(BytesIO(content)) as image:
            assert image.width / image.info["dpi"][0] * 25.4 == pytest.approx(COLUMNS[column], abs=0.1)
    with styled(look):
        grid = draw(report, look=look).axes[0].get_gridspec()
    assert grid is not None
    assert (grid.nrows, grid.ncols) == panels


def test_families_have_a_gap_and_a_line_and_the_caption_defines_it() -> None:
    report = make_report(None, ("net b", "pixels", "net a"), pairs=30, order=Order.FAMILY)
    figure = draw(report)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["net a", "net b", "pixels"]
    first, second, third = figure.axes[0].get_yticks()
    assert third - second > second - first
    drawn = [
        (np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)) for line in figure.axes[0].lines
    ]
    (ends,) = (down for across, down in drawn if (across < 0).all())
    low, high = sorted(ends.tolist())
    assert low < first < second < high < third
    assert "A line beside names joins the models of a family." in figure.legends[0].get_title().get_text()


def test_text_has_the_size_that_was_asked_for(report: Report) -> None:
    sizes = {}
    for look in (Look(), Look(width=89), Look(size=12)):
        with styled(look):
            sizes[look.points] = draw(report, look=look).axes[0].get_yticklabels()[0].get_fontsize()
    assert sizes == {8.5: 8.5, 7.0: 7.0, 12: 12}


def test_a_style_sheet_changes_the_look_but_not_that_text_stays_text(report: Report) -> None:
    styled_as = Look(style={"axes.edgecolor": "#ff0000", "svg.fonttype": "path", "text.usetex": True})
    content = figure_bytes(report, "svg", look=styled_as).decode()
    assert "#ff0000" in content
    assert ">penultimate" in content or "penultimate layer" in content
    assert "<text" in content


def test_a_style_sheet_keeps_the_width_and_the_size_that_were_asked_for(report: Report) -> None:
    look = Look(width=89, size=6, style={"savefig.bbox": "tight", "font.size": 20})
    assert figure_bytes(report, "svg", look=look) == figure_bytes(report, "svg", look=Look(width=89, size=6))


@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_same_numbers_give_the_same_bytes(report: Report, kind: str, magic: bytes) -> None:
    first, second = (figure_bytes(report, kind) for _ in range(2))
    assert first == second
    assert first.startswith(magic)
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("count", [1, 15])
def test_labels_do_not_collide(count: int) -> None:
    report = make_report(models=tuple(f"model {number:02}" for number in range(count)), baseline=None)
    figure = draw(report)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    boxes += [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


#: Names as tables hold them: mathematics that does not parse, controls, markup, scripts that a font lacks, no end.
ODD = (
    "reward $5_{ to $9",
    r"$\frac{1}{0}$ \undefined",
    "\x1b[31mred\nnext [bold] <b>&amp;",
    "漢字モデル 🐦",
    "x" * 400,
    "W" * 60,
    "many words " * 40,
    "",
)


@pytest.fixture(scope="module")
def odd() -> Report:
    """Models with odd names, and trials without participants."""
    return make_report(models=ODD, baseline=None, pairs=30, participants=0)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
@pytest.mark.filterwarnings("error")
def test_odd_names_are_drawn_without_a_warning(odd: Report, kind: str) -> None:
    content = figure_bytes(odd, kind)
    if kind == "svg":
        ElementTree.fromstring(content.decode())  # noqa: S314 (our own)
        assert b"\x1b" not in content


def test_names_are_drawn_letter_by_letter(odd: Report) -> None:
    drawn = figure_bytes(odd, "svg").decode()
    for shown in ("reward $5_{ to $9", r"$\frac{1}{0}$ \undefined", r"\x1b[31mred\nnext [bold] &lt;b&gt;&amp;amp;"):
        assert f">{shown}</text>" in drawn


@pytest.mark.parametrize("models", [("a",), ODD, ("a", "b")])
@pytest.mark.parametrize("who", [{}, {"participants": 0}, {"participant": ["p", None] * 35, "session": None}])
@pytest.mark.parametrize("width", [None, *COLUMNS.values()])
def test_every_text_lies_within_the_figure(models: tuple[str, ...], who: dict[str, Any], width: float | None) -> None:
    look = Look(width=width)
    with styled(look):
        figure = draw(make_report(models=models, baseline=None, pairs=30, **who), look=look)
        figure.draw_without_rendering()
    (legend,) = figure.legends
    texts = [legend.get_title(), *legend.get_texts(), *figure.axes[0].get_yticklabels(), *figure.texts]
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
    least = 1.5 if width is None else 0.7
    assert all(axes.get_position().width * figure.get_figwidth() > least for axes in figure.axes)


def test_many_distances_leave_room_for_the_bars(report: Report) -> None:
    rows = tuple(
        replace(row, distance=f"a distance with a long name, number {number} " * 2)
        for row in report.rows
        if row.model == "pixels" and row.distance == "mse"
        for number in range(30)
    )
    figure = draw(replace(report, rows=rows))
    figure.draw_without_rendering()
    assert all(axes.get_position().height * figure.get_figheight() > 4 for axes in figure.axes)


def test_no_noise_ceiling_is_drawn_from_few_repeats(report: Report) -> None:
    firm, few = draw(report), draw(make_report(models=("a",), baseline=None))
    assert "noise ceiling: one other person" in [text.get_text() for text in firm.legends[0].get_texts()]
    assert not any("noise ceiling" in text.get_text() for text in few.legends[0].get_texts())
    assert [len(axes.lines) for axes in firm.axes] == [1, 1, 2]
    assert [len(axes.lines) for axes in few.axes] == [1, 1, 1]


def test_a_figure_of_very_many_models_stays_within_the_limit_of_png(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 700)
    with Image.open(BytesIO(figure_bytes(report, "png"))) as image:
        assert max(image.size) <= 700


@pytest.mark.system
def test_no_global_state_of_pyplot_is_touched() -> None:
    code = "import simtool.reporting.figure, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
