"""Curves of trainings: known places, the kept epoch, and values that cannot be drawn."""

from __future__ import annotations

import math
import re

import pytest

from simtool.reporting.page.curves import HEIGHT, LEFT, POINTS, ROWS, TOP, WIDTH, Panel, training
from simtool.training.history import History


def _points(path: str) -> list[tuple[float, float]]:
    return [(float(right), float(down)) for right, down in re.findall(r"([-.\d]+) ([-.\d]+)", path)]


def _panels(history: History) -> dict[str, Panel]:
    return {panel.title: panel for panel in training(history).panels}


def test_a_flow_has_one_plot_of_both_losses() -> None:
    history = History(
        "Glow", [1, 2, 4], {"loss": [3.0, 2.0, 1.0], "val_bits_per_dim": [2.5, 1.5, 1.6], "other": [1, 2, 3]}
    )
    (panel,) = training(history).panels
    assert [(curve.name, curve.kind) for curve in panel.curves] == [
        ("training loss", "training"),
        ("validation bits per dimension", "validation"),
    ]
    assert panel.kept is not None
    assert (panel.kept.at, panel.kept.label) == (LEFT + WIDTH / 2, "epoch 2 kept")
    loss, validated = (_points(curve.path) for curve in panel.curves)
    assert [right for right, _ in loss] == [LEFT + WIDTH / 4, LEFT + WIDTH / 2, LEFT + WIDTH]
    assert loss[0][1] < validated[0][1] < loss[1][1], "a greater value is higher"
    assert all(TOP < down < TOP + HEIGHT for _, down in loss + validated)
    assert training(history).header == ["epoch", "training loss", "validation bits per dimension"]
    assert training(history).rows[1] == ["2", "2", "1.5"]
    assert training(history).kept == 1


def test_a_classifier_has_a_plot_of_the_accuracy_that_chooses_the_epoch() -> None:
    columns = {"loss": [2.0, 1.0], "top_1": [0.1, 0.9], "val_cross_entropy": [3.0, 3000.0], "val_top_1": [0.2, 0.1]}
    panels = _panels(History("ResNet", [1, 2], columns, is_complete=False))
    assert list(panels) == ["loss", "top-1 accuracy"]
    assert [tick.label for tick in panels["loss"].up] == ["1", "10", "100", "1,000"]
    kept = panels["top-1 accuracy"].kept
    assert kept is not None
    assert kept.label == "epoch 1 (the best so far)"
    assert "validation top-1 accuracy 0.2 at epoch 1, 0.1 at epoch 2" in panels["top-1 accuracy"].words


def test_values_that_are_not_finite_or_beyond_all_measure_are_not_drawn() -> None:
    history = History("a", [1, 2, 3, 4], {"loss": [1.0, math.nan, 1e300, 2.0], "val_top_1": [math.nan] * 4})
    (panel,) = training(history).panels
    assert len(_points(panel.curves[0].path)) == 2
    assert training(history).sentence == "4 epochs. No epoch was evaluated, so the last weights are kept."
    assert [row[1] for row in training(history).rows] == ["1", "", "1e+300", "2"]
    assert not training(History("a", [1], {"loss": [math.inf]})).panels


@pytest.mark.parametrize("value", [0.0, -1.0, 5e-324, 1e99])
def test_equal_values_have_a_place(value: float) -> None:
    (panel,) = training(History("a", [1, 2], {"loss": [value, value]})).panels
    assert all(TOP <= down <= TOP + HEIGHT for _, down in _points(panel.curves[0].path))


def test_long_trainings_are_thinned_with_the_kept_and_the_last_epoch() -> None:
    epochs = range(1, 10_001)
    history = History("a", epochs, {"loss": [1.0] * 10_000, "val_bits_per_dim": [abs(each - 5003) for each in epochs]})
    found = training(history)
    assert len(_points(found.panels[0].curves[0].path)) <= POINTS + 2
    assert len(found.rows) <= ROWS + 2
    assert {"5003", "10000"} < {row[0] for row in found.rows}
    assert found.rows[found.kept or 0][0] == "5003"
    assert found.left_out == 10_000 - len(found.rows)
