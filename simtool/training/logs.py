"""What is written about a training while it runs: a CSV table and events for TensorBoard.

Both are made from the history that the checkpoint holds, so that a resumed training neither doubles nor loses a line.
"""

from __future__ import annotations

import csv
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simtool.tables.atomic import atomic_path
from simtool.tensorflow import load_tensorflow

__all__ = ["Events", "write_csv"]

Row = Mapping[str, Any]


def write_csv(path: Path, history: Sequence[Row]) -> None:
    """Write a table of all rows; a metric that a row lacks is an empty cell.

    Raises:
        OSError: it cannot be written.
    """
    columns = list(dict.fromkeys(name for row in history for name in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


class Events:
    """A file of events that TensorBoard draws curves from; written without the package ``tensorboard``.

    Args:
        folder: of the events of one training; older files of events in it are replaced.
        history: rows so far, each with ``step`` and ``time`` (seconds since 1970).

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, history: Sequence[Row]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for older in folder.glob("events.out.tfevents.*"):
            older.unlink()
        path = folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._writer = load_tensorflow().io.TFRecordWriter(str(path))
        self._write(wall_time=history[0]["time"] if history else 0.0, file_version="brain.Event:2")
        for row in history:
            self.add(row)

    def add(self, row: Row) -> None:
        """Write the numbers of a row, and see to it that they can be read at once."""
        from tensorflow.core.framework.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name not in ("step", "time") and isinstance(value, int | float)
        ]
        self._write(wall_time=row["time"], step=row["step"], summary=Summary(value=values))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, **content: Any) -> None:
        from tensorflow.core.util.event_pb2 import Event

        self._writer.write(Event(**content).SerializeToString())
