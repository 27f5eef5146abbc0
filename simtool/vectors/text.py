"""Texts of numbers: CSV files whose first column holds the names, and columns of numbers without names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.errors import clipped
from simtool.kinds import Kind, Text
from simtool.kinds.texts import is_number
from simtool.vectors.vectors import Block, Vectors, VectorsError, block_rows, reading

__all__ = ["open_text"]

_WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True)
class _Table:
    """The lines of a text as cells.

    Attributes:
        path: the file.
        text: its format.
        named: whether the first cell of a line is a name.
    """

    path: Path
    text: Text
    named: bool

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each line with content, without comments and without the header."""
        with reading(self.path), self.path.open(encoding=self.text.encoding, newline="") as file:
            first = True
            for number, cells in self._cells(file):
                if not (first and self._is_header(cells)):
                    yield number, cells
                first = False

    def _cells(self, file: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        if self.text.delimiter in ("", " "):
            for number, line in enumerate(file, 1):
                if (cells := line.split()) and not cells[0].startswith("#"):
                    yield number, cells
            return
        rows = csv.reader(file, delimiter=self.text.delimiter)
        for cells in rows:
            stated = rows.line_num == 1 and cells and cells[0].casefold().startswith("sep=")
            if not stated and any(cell.strip() for cell in cells):
                yield rows.line_num, cells

    def _is_header(self, cells: list[str]) -> bool:
        """Whether the cells of the first line are names of columns: text, or 0, 1, 2, ... as pandas writes them."""
        values = cells[1:] if self.named else cells
        if self.named and not cells[0].strip():
            return True
        return not all(map(is_number, values)) or (len(values) > 2 and values == [str(at) for at in range(len(values))])

    def values(self, number: int, cells: list[str], width: int) -> NDArray[np.float64]:
        """The values of a line.

        Raises:
            VectorsError: a cell is no number, or the line has another length than the first.
        """
        texts = cells[1:] if self.named else cells
        if len(texts) != width:
            raise VectorsError(f"{self.path}: line {number} has {len(texts)} values, the first line {width}")
        try:
            return np.array(texts, np.float64)
        except ValueError as failure:
            wrong = next((text for text in texts if not is_number(text)), "")
            raise VectorsError(f"{self.path}: line {number}: {clipped(wrong, 40)!r} is not a number") from failure


def open_text(path: Path, kind: Kind, named: bool) -> Vectors:
    """Open a text with one line for each vector.

    Args:
        path: the file.
        kind: its kind.
        named: whether the first cell of a line is its name.

    Raises:
        VectorsError: lines have different lengths, or the first column holds no names.
    """
    table = _Table(path, kind.text or Text(), named)
    rows, width = 0, 0
    names: list[str] = []
    for _, cells in table.lines():
        rows, width = rows + 1, width or len(cells) - named
        names += [cells[0].strip()] if named else []
    if named:
        _check_names(path, names)

    def blocks() -> Iterator[Block]:
        size = block_rows(8 * width)
        block: list[NDArray[np.float64]] = []
        for number, cells in table.lines():
            block.append(table.values(number, cells, width))
            if len(block) == size:
                yield np.array(block)
                block = []
        if block:
            yield np.array(block)

    return Vectors(path, rows, (width,), blocks, (path,), names if named else None)


def _check_names(path: Path, names: Sequence[str]) -> None:
    if all(map(is_number, names)) and not all(map(_WHOLE.fullmatch, names)):
        raise VectorsError(
            f"{path}: the first column holds numbers, not names; give a file of names with --ids, "
            "or add a first column of names"
        )
