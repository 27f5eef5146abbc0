"""Cells of delimited text: commas, tabs or semicolons, UTF-8 or UTF-16, any line ends.

Arrow reads regular text. If Arrow fails, or if a message needs the line of a row, Python's csv module reads the text
again; it is slower, but counts lines.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from simtool.judgments.assembly import JudgmentsError
from simtool.kinds import Expected, advice, kind_of

__all__ = ["Cells", "Header", "read_cells", "read_header"]

#: Missing values as pandas and R write them.
_MISSING = ("", "NA")
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_SEPARATORS = ",\t;|"
_DECLARABLE = f"{_SEPARATORS}:~^ "
#: Maximum bytes of a header and of a cell.
_MOST_BYTES = 1 << 20
_DECLARED = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_UTF8 = frozenset(("utf-8", "utf-8-sig"))


@dataclass(frozen=True)
class Header:
    """The header line.

    Attributes:
        path: the file.
        encoding: Python's name of the encoding.
        separator: the separator of cells.
        lines: the number of lines up to the end of the header.
        names: the cells of the header, stripped.
    """

    path: Path
    encoding: str
    separator: str
    lines: int
    names: tuple[str, ...]

    def open(self) -> TextIO:
        """Open the text at its beginning."""
        return self.path.open(encoding=self.encoding, newline="")


@dataclass(frozen=True)
class Cells:
    """The rows below a header that are not empty.

    Attributes:
        header: the header.
        columns: stripped text as categories, by the position of the column; null for a cell that is empty or NA.
        records: (rows,) the index of each row among all records below the header; empty records count.
    """

    header: Header
    columns: tuple[pa.DictionaryArray, ...]
    records: NDArray[np.int64]

    def __len__(self) -> int:
        return self.records.size

    def line_of(self, row: int) -> int:
        """Return the line of the file, from 1, on which a row begins."""
        with self.header.open() as text:
            line, _ = next(islice(_records(self.header, text), int(self.records[row]), None))
        return line


def read_header(path: Path) -> Header:
    """Read the header of a delimited text; a line ``sep=;`` above it sets the separator.

    Raises:
        JudgmentsError: the file is not text, or cannot be read.
    """
    kind = kind_of(path)
    if kind.text is None:
        raise JudgmentsError(f"{path}: this is {kind.description}, not a CSV; {advice(kind, Expected.JUDGMENTS)}")
    if kind.text.encoding in ("latin-1", "cp1252"):
        raise JudgmentsError(_undecodable(path, "utf-8"))
    encoding = "utf-8-sig" if kind.text.encoding in _UTF8 else kind.text.encoding
    with path.open(encoding=encoding, newline="") as text:
        try:
            return _header(path, encoding, text)
        except UnicodeError as failure:
            raise JudgmentsError(_undecodable(path, encoding)) from failure
        except csv.Error as failure:
            raise JudgmentsError(f"{path}: the first line cannot be read: {failure}") from failure


def _header(path: Path, encoding: str, text: TextIO) -> Header:
    declared = None
    for lines, line in enumerate(iter(lambda: text.readline(_MOST_BYTES), ""), 1):
        if lines == 1 and (match := _DECLARED.fullmatch(line.lstrip("\ufeff"))):
            if (declared := match[1]) not in _DECLARABLE:
                raise JudgmentsError(f"{path}: unsupported separator {declared!r}: save it with commas")
        elif line.strip(f"{declared or _SEPARATORS} \r\n\ufeff"):
            separator = declared or max(_SEPARATORS, key=line.count)
            reader = csv.reader(chain([line.lstrip("\ufeff")], text), delimiter=separator)
            names = tuple(cell.strip() for cell in next(reader))
            return Header(path, encoding, separator, lines - 1 + reader.line_num, names)
    raise JudgmentsError(f"{path}: no line has cells")


def read_cells(header: Header) -> Cells:
    """Read the rows below a header.

    Raises:
        JudgmentsError: a row has a different number of cells than the header, a null character, or a byte outside
            the file's encoding; the message names its line.
        OSError: the file cannot be read.
    """
    try:
        columns = _fast(header)
    except (pa.ArrowException, UnicodeError):
        columns = _slow(header)
    columns = [_trimmed(column) for column in columns]
    filled = np.zeros(len(columns[0]), bool)
    for column in columns:
        filled |= column.is_valid().to_numpy(zero_copy_only=False)
    if not filled.all():
        columns = [column.filter(pa.array(filled)) for column in columns]
    cells = Cells(header, tuple(columns), np.flatnonzero(filled))
    for column in columns:
        damaged = pc.match_substring(column.dictionary, "\0").take(column.indices)
        if (row := pc.index(damaged, True).as_py()) >= 0:
            raise JudgmentsError(f"{header.path}: line {cells.line_of(row)} has a null character; the file is damaged")
    return cells


def _fast(header: Header) -> list[pa.DictionaryArray]:
    names = [str(position) for position in range(len(header.names))]
    source: str | io.BytesIO = str(header.path)
    if header.encoding != "utf-8-sig":
        source = io.BytesIO(header.path.read_bytes().decode(header.encoding).encode())
    table = arrow_csv.read_csv(
        source,
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=header.lines),
        parse_options=arrow_csv.ParseOptions(delimiter=header.separator, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, _CATEGORY), null_values=_MISSING, strings_can_be_null=True
        ),
    )
    columns = table.unify_dictionaries().combine_chunks().columns
    return [column.chunk(0) if column.num_chunks else pa.array([], _CATEGORY) for column in columns]


def _slow(header: Header) -> list[pa.DictionaryArray]:
    """Read irregular text: rows may end in more empty cells than the header has."""
    width = len(header.names)
    columns: list[list[str | None]] = [[] for _ in range(width)]
    with header.open() as text:
        for line, cells in _records(header, text):
            if len(cells) < width and not any(cell.strip() for cell in cells):
                cells = [""] * width  # a blank line
            if len(cells) < width or any(cell.strip() for cell in cells[width:]):
                raise JudgmentsError(f"{header.path}: line {line} has {len(cells)} cells, the header {width}")
            for column, cell in zip(columns, cells, strict=False):
                column.append(None if cell in _MISSING else cell)
    return [pa.array(column, pa.string()).dictionary_encode() for column in columns]


def _records(header: Header, text: TextIO) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the records below the header, each with its first line; empty lines are skipped."""
    reader = csv.reader(text, delimiter=header.separator)
    begins = 1
    try:
        for cells in reader:
            if cells and begins > header.lines:
                yield begins, cells
            begins = max(begins, reader.line_num + 1)
    except UnicodeError as failure:
        raise JudgmentsError(_undecodable(header.path, header.encoding)) from failure
    except csv.Error as failure:
        raise JudgmentsError(
            f"{header.path}: line {begins}: {failure}; is a closing quotation mark missing?"
        ) from failure


def _undecodable(path: Path, encoding: str) -> str:
    """Return a message that names the first line with a byte outside the encoding."""
    content = path.read_bytes()
    # With a byte order mark, the codec would count from behind the mark.
    plain = encoding.removesuffix("-sig")
    try:
        content.decode(plain)
    except UnicodeDecodeError as failure:
        content = content[: failure.start]
    line = len(re.findall(r"\r\n|\r|\n", content.decode(plain, "replace"))) + 1
    return f"{path}: line {line} is not in {'UTF-8: save it as CSV UTF-8' if encoding in _UTF8 else encoding.upper()}"


def _trimmed(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Strip the values of a column; blank values become null."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values = pc.utf8_trim_whitespace(column.dictionary)
    if values.equals(column.dictionary) and not pc.any(pc.is_in(values, pa.array(_MISSING))).as_py():
        return column
    values = pc.if_else(pc.is_in(values, pa.array(_MISSING)), pa.scalar(None, pa.string()), values)
    merged = values.dictionary_encode()
    codes = merged.indices.take(column.indices)
    return pa.DictionaryArray.from_arrays(codes, merged.dictionary)
