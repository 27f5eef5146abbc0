"""The log of a training: the progress bar, a line for each epoch, ``log.csv``, TensorBoard events and the curves.

The files are written from the history in the checkpoint, so a resumed training repeats no row and loses no row.
"""

from __future__ import annotations

import csv
import json
import math
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Any

from simtool import console
from simtool.tables.atomic import atomic_path
from simtool.tensorflow import load_tensorflow
from simtool.training.folder import LOG
from simtool.training.settings import Settings
from simtool.training.state import State

__all__ = ["Events", "TrainingLogger", "write_csv", "write_curves"]

#: One row of the history.
Row = Mapping[str, Any]
#: The least time between two drawings of the curves while a training runs.
_DRAWN_EVERY_SECONDS = 60.0
#: Okabe & Ito's blue and vermilion, which people with any color vision can tell apart.
_TRAINING, _VALIDATION = "#0072B2", "#D55E00"
_VALIDATED = "val_"
#: Columns that give the time of a row, and the share of it for preparing batches; they have no panel.
_PLACE = ("epoch", "step", "time", "seconds", "waiting")
#: Columns about the course of the training; they have the last panels.
_COURSE = ("learning_rate", "gradient_norm", "skipped")
_COLUMNS = 3
#: Values that vary by more than this factor have a logarithmic axis.
_WIDE = 50.0
_STYLE: Any = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}


class TrainingLogger:
    """The logger of the first worker; see :func:`TrainingLogger.opened`."""

    def __init__(self, folder: Path, settings: Settings, bar: console.Progress, events: Events) -> None:
        self._folder, self._settings, self._bar, self._events = folder, settings, bar, events
        self._drawn_at = time.monotonic()

    @classmethod
    @contextmanager
    def opened(
        cls, folder: Path, settings: Settings, configuration: Mapping[str, Any], state: State, steps_per_epoch: int
    ) -> Iterator[TrainingLogger]:
        """Write the logs from the history in the checkpoint, and show a progress bar while the logger is open."""
        with atomic_path(folder / "settings.json") as temporary:
            content = {**configuration, "settings": settings.to_json()}
            temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        write_csv(folder / LOG, state.history)
        events = Events(folder / "tensorboard", state.history)
        total = settings.epochs * steps_per_epoch
        if state.step:
            console.note(f"resuming after step {state.step:,} of {total:,}")
        try:
            with console.progress("training", total, "steps", done=state.step) as bar:
                logger = cls(folder, settings, bar, events)
                yield logger
            logger.draw(state)
        finally:
            events.close()

    def step(self, state: State) -> None:
        """Move the progress bar."""
        loss = state.sums.get("loss", float("nan")) / max(state.rows, 1)
        self._bar.describe(f"epoch {state.epoch + 1} of {self._settings.epochs}, loss {loss:.4g}")
        self._bar.advance()

    def epoch(self, state: State) -> None:
        """Write the row of the epoch to the logs, and print one line."""
        row = state.history[-1]
        write_csv(self._folder / LOG, state.history)
        self._events.add(row)
        if time.monotonic() - self._drawn_at > _DRAWN_EVERY_SECONDS:
            self.draw(state)
        numbers = [f"{name} {value:.4g}" for name, value in row.items() if name == "loss" or name.startswith("val_")]
        # An incomplete epoch has a fractional number; its weights belong to the next whole number.
        epoch = row["epoch"]
        best = ", the best so far" if state.best_epoch == math.ceil(epoch) else ""
        skipped = f", {row['skipped']} steps skipped so far" if row["skipped"] else ""
        at = f"{epoch:.0f}" if epoch == int(epoch) else f"{epoch:.2f}"
        console.note(f"epoch {at} of {self._settings.epochs}: {', '.join(numbers)}{best}{skipped}")

    def draw(self, state: State) -> None:
        """Draw the curves so far."""
        if state.history:
            write_curves(self._folder / "curves.png", state.history)
            self._drawn_at = time.monotonic()


def write_csv(path: Path, history: Sequence[Row]) -> None:
    """Write a table of all rows; a metric that a row lacks is an empty cell."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


class Events:
    """A file of events for TensorBoard; it is written without the package ``tensorboard``.

    Older event files in the folder are replaced.
    """

    def __init__(self, folder: Path, history: Sequence[Row]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for older in folder.glob("events.out.tfevents.*"):
            older.unlink()
        self._path = folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._writer = load_tensorflow().io.TFRecordWriter(str(self._path))
        self._write(wall_time=history[0]["time"] if history else 0.0, file_version="brain.Event:2")
        for row in history:
            self.add(row)

    def add(self, row: Row) -> None:
        """Write the numbers of a row; they can be read at once."""
        from tensorflow.core.framework.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name not in ("step", "time") and isinstance(value, int | float)
        ]
        self._write(wall_time=row["time"], step=row["step"], summary=Summary(value=values))
        with self._on_a_disk():
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        with self._on_a_disk():
            self._writer.close()

    def _write(self, **content: Any) -> None:
        from tensorflow.core.util.event_pb2 import Event

        with self._on_a_disk():
            self._writer.write(Event(**content).SerializeToString())

    @contextmanager
    def _on_a_disk(self) -> Iterator[None]:
        """Tell a full disk from a lack of memory, for which TensorFlow has the same error."""
        try:
            yield
        except load_tensorflow().errors.ResourceExhaustedError as failure:
            raise OSError(
                ENOSPC, "the disk is full: free some space and run the same command again", self._path
            ) from failure


def write_curves(path: Path, history: Sequence[Row]) -> None:
    """Draw each quantity over epochs; the training and the validation curve of a quantity share a panel."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels = _panels(history)
    rows = -(-len(panels) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.2 * _COLUMNS, 2.2 * rows), layout="constrained")
        for place, (title, lines) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(rows, _COLUMNS, place)
            for name, color in lines.items():
                label = "validation" if name.startswith(_VALIDATED) else "training"
                axes.plot(*_points(history, name), color=color, label=label, marker=".", markersize=3, linewidth=1)
            axes.set_title(title.replace("_", " "), loc="left", fontsize=9)
            values = [value for name in lines for value in _points(history, name)[1]]
            if values and min(values) > 0 and max(values) > _WIDE * min(values):
                axes.set_yscale("log")
            if len(lines) > 1:
                axes.legend(frameon=False)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if place > len(panels) - _COLUMNS:
                axes.set_xlabel("epoch")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def _panels(history: Sequence[Row]) -> dict[str, dict[str, str]]:
    """For each panel, its columns and their colors."""
    panels: dict[str, dict[str, str]] = {}
    found = dict.fromkeys(name for row in history for name in row if name not in _PLACE)
    for name in sorted(found, key=lambda name: name in _COURSE):
        color = _VALIDATION if name.startswith(_VALIDATED) else _TRAINING
        panels.setdefault(name.removeprefix(_VALIDATED), {})[name] = color
    return panels


def _points(history: Sequence[Row], name: str) -> tuple[list[float], list[float]]:
    """Epochs and values of a column, without values that are missing or not finite."""
    found = [(float(row["epoch"]), float(row[name])) for row in history if name in row]
    kept = [(epoch, value) for epoch, value in found if math.isfinite(value)]
    return [epoch for epoch, _ in kept], [value for _, value in kept]
