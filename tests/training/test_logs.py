"""The logs hold each row of the history once, and TensorFlow reads the events."""

from __future__ import annotations

from pathlib import Path

from simtool.tensorflow import load_tensorflow
from simtool.training.logs import Events, write_csv

HISTORY = [
    {"epoch": 1, "step": 6, "time": 100.5, "loss": 2.0},
    {"epoch": 2, "step": 12, "time": 101.5, "loss": 1.5, "val_loss": 1.25},
]


def test_a_metric_that_a_row_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", HISTORY)
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
    events = Events(tmp_path, HISTORY[:1])
    assert read(tmp_path) == [(6, 100.5, {"epoch": 1, "loss": 2.0})]
    events.add(HISTORY[1])
    assert read(tmp_path)[1:] == [(12, 101.5, {"epoch": 2, "loss": 1.5, "val_loss": 1.25})]
    events.close()


def test_a_resumed_training_replaces_the_events_after_its_checkpoint(tmp_path: Path) -> None:
    Events(tmp_path, HISTORY).close()
    resumed = Events(tmp_path, HISTORY[:1])
    resumed.add({"epoch": 2, "step": 12, "time": 200.0, "loss": 1.5})
    resumed.close()
    assert [(step, time) for step, time, _ in read(tmp_path)] == [(6, 100.5), (12, 200.0)]
