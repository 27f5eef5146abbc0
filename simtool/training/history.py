"""The log of a training, read from the folder of its model. The folder is not trusted."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from simtool.errors import clipped
from simtool.kinds import Expected, explain
from simtool.training.folder import LOG, MANIFEST, TRAINING
from simtool.training.outcome import TrainingError

__all__ = ["CRITERIA", "History", "read_history"]

#: The column of the epoch, which may end within a pass over the images.
EPOCH = "epoch"
#: The columns by which trainings choose the epoch to keep, and whether a higher value is better.
CRITERIA: Mapping[str, bool] = {"val_top_1": True, "val_bits_per_dim": False}
#: The most bytes, columns and rows of a log, and the greatest number of an epoch.
MOST_BYTES, MOST_COLUMNS, MOST_ROWS, MOST_EPOCHS = 20_000_000, 100, 100_000, 1_000_000_000


@dataclass(frozen=True)
class History:
    """The log of a training.

    Attributes:
        name: of the model.
        epochs: (N,) the number of passes over the images at each row, in ascending order.
        columns: (N,) values by name; NaN where a row has none.
        is_complete: whether the training has written its model.
    """

    name: str
    epochs: Sequence[float]
    columns: Mapping[str, Sequence[float]]
    is_complete: bool = True

    @property
    def criterion(self) -> str | None:
        """The column by which the kept epoch was chosen; None if no epoch was evaluated."""
        known = (name for name in CRITERIA if any(map(math.isfinite, self.columns.get(name, ()))))
        return next(known, None)

    @property
    def kept(self) -> int | None:
        """The position of the first best epoch, whose weights are kept; None if no epoch was evaluated."""
        if self.criterion is None:
            return None
        sign = 1 if CRITERIA[self.criterion] else -1
        found = [(sign * value, -at) for at, value in enumerate(self.columns[self.criterion]) if math.isfinite(value)]
        return -max(found)[1]


def read_history(folder: Path, name: str) -> History:
    """Read the log of a training.

    Args:
        folder: the folder of the model.
        name: of the model.

    Raises:
        TrainingError: there is no log, or it is not a table of numbers.
    """
    if not folder.is_dir():
        raise TrainingError(explain(folder, Expected.MODEL_FOLDER))
    path = folder / TRAINING / LOG
    if not path.is_file():
        raise TrainingError(f"{folder}: it has no log of a training ({TRAINING}/{LOG})")
    if path.stat().st_size > MOST_BYTES:
        raise TrainingError(f"{path}: larger than {MOST_BYTES:,} bytes, so this is not the log of a training")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [line for line in csv.reader(file) if line] or [[]]
    except (UnicodeDecodeError, csv.Error) as failure:
        raise TrainingError(f"{path}: not a table of numbers (CSV): {failure}") from failure
    columns = _columns(path, header, rows)
    epochs = columns.pop(EPOCH)
    if not 0 <= epochs[0] <= epochs[-1] <= MOST_EPOCHS or not all(one < two for one, two in pairwise(epochs)):
        raise TrainingError(f"{path}: the numbers of epochs should ascend from 0 to {MOST_EPOCHS:,} at most")
    return History(name, epochs, columns, (folder / MANIFEST).exists())


def _columns(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """The values of each column."""
    if EPOCH not in header or len(set(header)) < len(header):
        raise TrainingError(f"{path}: the first line should name different columns, with {EPOCH}")
    if not rows:
        raise TrainingError(f"{path}: no epoch is complete yet")
    if len(header) > MOST_COLUMNS or len(rows) > MOST_ROWS:
        raise TrainingError(f"{path}: more than {MOST_COLUMNS} columns or {MOST_ROWS:,} rows")
    table = [list(_values(path, at, header, row)) for at, row in enumerate(rows, start=1)]
    return {name: [row[place] for row in table] for place, name in enumerate(header)}


def _values(path: Path, at: int, header: Sequence[str], row: Sequence[str]) -> Iterator[float]:
    """The values of a row; NaN for an empty cell."""
    if len(row) != len(header):
        raise TrainingError(f"{path}: row {at} has {len(row)} cells, the first line {len(header)}")
    for name, cell in zip(header, row, strict=True):
        try:
            yield float(cell) if cell else math.nan
        except ValueError:
            raise TrainingError(f"{path}: row {at}, {clipped(name)}: {clipped(cell)} is no number") from None
