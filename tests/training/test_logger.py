"""The log of a training: a CSV table, events for TensorBoard, and curves."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from PIL import Image

from simtool.tensorflow import load_tensorflow
from simtool.training.logger import Events, write_csv, write_curves

HISTORY = [
    {"epoch": 1, "step": 6, "time": 1.0, "learning_rate": 0.1, "loss": 2.0, "val_loss": 900.0},
    {"epoch": 2, "step": 12, "time": 2.0, "learning_rate": 0.1, "loss": 1.5},
    {"epoch": 2.5, "step": 15, "time": 2.5, "learning_rate": 0.1, "loss": 1.25, "val_loss": 2.0, "val_top_1": 0.5},
]


class Drawn:
    """The title, the scale and the curves of each panel."""

    def __init__(self) -> None:
        self.curves: list[tuple[list[float], list[float]]] = []
        self.titles: list[str] = []
        self.scales: list[str] = []


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    found = Drawn()
    plot, title = Axes.plot, Axes.set_title
    scale = Axes.set_yscale

    def plotted(self: Axes, *args: Any, **kwargs: Any) -> Any:
        found.curves.append(args[:2])
        return plot(self, *args, **kwargs)

    def titled(self: Axes, label: str, **kwargs: Any) -> Any:
        found.titles.append(label)
        return title(self, label, **kwargs)

    def scaled(self: Axes, value: str) -> None:
        found.scales.append(value)
        scale(self, value)

    monkeypatch.setattr(Axes, "plot", plotted)
    monkeypatch.setattr(Axes, "set_title", titled)
    monkeypatch.setattr(Axes, "set_yscale", scaled)
    return found


def test_each_quantity_has_a_panel_with_its_values_over_epochs(drawn: Drawn, tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.png", HISTORY)
    assert drawn.titles == ["loss", "top 1", "learning rate"]
    assert drawn.curves == [
        ([1, 2, 2.5], [2.0, 1.5, 1.25]),
        ([1, 2.5], [900.0, 2.0]),
        ([2.5], [0.5]),
        ([1, 2, 2.5], [0.1, 0.1, 0.1]),
    ]


def test_values_that_vary_by_orders_of_magnitude_have_a_logarithmic_axis(drawn: Drawn, tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.png", HISTORY)
    assert drawn.scales == ["log"]


def test_values_that_are_not_finite_are_left_out(drawn: Drawn, tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.png", [*HISTORY, {"epoch": 3, "loss": math.nan}])
    assert drawn.curves[0] == ([1, 2, 2.5], [2.0, 1.5, 1.25])


def test_the_file_is_an_image_and_the_same_each_time(tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.png", HISTORY[:1])
    first = (tmp_path / "curves.png").read_bytes()
    with Image.open(tmp_path / "curves.png") as image:
        image.load()
        assert min(image.size) > 200
    write_curves(tmp_path / "curves.png", HISTORY[:1])
    assert (tmp_path / "curves.png").read_bytes() == first


ROWS = [
    {"epoch": 1, "step": 6, "time": 100.5, "loss": 2.0},
    {"epoch": 2, "step": 12, "time": 101.5, "loss": 1.5, "val_loss": 1.25},
]


def test_a_metric_that_a_row_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", ROWS)
    assert (tmp_path / "log.csv").read_text() == (
        "epoch,step,time,loss,val_loss\n1,6,100.5,2.0,\n2,12,101.5,1.5,1.25\n"
    )


def test_an_empty_history_is_an_empty_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [])
    assert (tmp_path / "log.csv").read_text() == "\n"


def read(folder: Path) -> list[tuple[int, float, dict[str, float]]]:
    tf = load_tensorflow()
    from tensorflow.core.util.event_pb2 import Event

    (file,) = folder.iterdir()
    events = [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))]
    assert events[0].file_version == "brain.Event:2"
    return [
        (event.step, event.wall_time, {value.tag: value.simple_value for value in event.summary.value})
        for event in events[1:]
    ]


def test_events_can_be_read_while_the_training_runs(tmp_path: Path) -> None:
    events = Events(tmp_path, ROWS[:1])
    assert read(tmp_path) == [(6, 100.5, {"epoch": 1, "loss": 2.0})]
    events.add(ROWS[1])
    assert read(tmp_path)[1:] == [(12, 101.5, {"epoch": 2, "loss": 1.5, "val_loss": 1.25})]
    events.close()


def test_a_resumed_training_replaces_the_events_after_its_checkpoint(tmp_path: Path) -> None:
    Events(tmp_path, ROWS).close()
    resumed = Events(tmp_path, ROWS[:1])
    resumed.add({"epoch": 2, "step": 12, "time": 200.0, "loss": 1.5})
    resumed.close()
    assert [(step, time) for step, time, _ in read(tmp_path)] == [(6, 100.5), (12, 200.0)]


def test_a_full_disk_is_no_lack_of_memory(tmp_path: Path) -> None:
    events = Events(tmp_path, [])
    events.close()
    setattr(events, "_writer", load_tensorflow().io.TFRecordWriter("/dev/full"))  # noqa: B010
    with pytest.raises(OSError, match="the disk is full: free some space") as failure:
        events.add({"epoch": 1, "step": 4, "time": 0.0, "loss": 1.0})
    assert failure.value.errno == errno.ENOSPC
