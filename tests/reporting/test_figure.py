"""The figure: what it shows, and that it is reproducible."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simtool.reporting.figure import COLORS, draw, figure_bytes
from simtool.reporting.metrics import Metric
from simtool.reporting.report import Report
from tests.reporting.conftest import make_report


def test_every_trial_type_has_a_panel_and_every_row_a_bar(report: Report) -> None:
    figure = draw(report)
    blocks = list(report.blocks([Metric.TRIPLET_ACCURACY]))
    assert [axes.get_title().strip() for axes in figure.axes] == ["all trials", "8-rank-2", "2-choose-1"]
    for axes, block in zip(figure.axes, blocks, strict=True):
        ends = sorted(bar.get_x() + bar.get_width() for bar in axes.containers for bar in bar)
        assert ends == pytest.approx(sorted(row.estimate for row in block.rows))
        low, high = axes.get_xlim()
        assert all(low < row.low <= row.high < high for row in block.rows)


def test_models_are_labeled_once_in_the_order_of_accuracy(report: Report) -> None:
    figure = draw(report)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    first = next(report.blocks([Metric.TRIPLET_ACCURACY]))
    assert labels == list(dict.fromkeys(row.model for row in first.rows))


def test_distances_keep_their_colors(report: Report) -> None:
    figure = draw(report)
    (legend,) = figure.legends
    named = dict(zip([text.get_text() for text in legend.get_texts()], legend.legend_handles, strict=True))
    assert {"mse", "cosine", "chance", "upper bound"} <= set(named)
    used = {bar.get_facecolor() for axes in figure.axes for bars in axes.containers for bar in bars}
    assert len(used) == 2
    assert len(set(COLORS)) == len(COLORS)


def test_simulated_observers_stand_in_the_title(simulated: Report) -> None:
    figure = draw(simulated)
    assert "simulated observers" in str(figure.get_suptitle())


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


@pytest.mark.system
def test_no_global_state_of_pyplot_is_touched() -> None:
    code = "import simtool.reporting.figure, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
