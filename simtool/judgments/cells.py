"""Cells of delimited text: commas, tabs or semicolons, UTF-8 or UTF-16, any line ends.

Arrow reads regular text. If Arrow fails, or if a message needs the line of a row, Python's csv module reads the text
again; it is slower, but counts lines. Columns with few distinct texts become codes, so that no row has a Python string.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from simtool.errors import listed
from simtool.judgments.assembly import JudgmentsError
from simtool.kinds import Expected, Kind, advice, kind_of
from simtool.tables.files import strings
from simtool.tables.labels import Labels

__all__ = ["Cells", "Header", "no_header", "read_cells", "read_header"]

#: Missing values as pandas and R write them.
_MISSING = ("", "NA")
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
#: Bytes that Arrow parses at once. Each block has its own dictionaries, so that small blocks repeat long ones.
_BLOCK = 1 << 23
#: Rows that Python's csv module reads at once.
_ROWS = 1 << 16
_SEPARATORS = ",\t;|"
_DECLARABLE = f"{_SEPARATORS}:~^ "
#: Maximum bytes of a header and of a cell.
_MOST_BYTES = 1 << 20
_DECLARED = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_UTF8 = frozenset(("utf-8", "utf-8-sig"))

_Texts = TypeVar("_Texts", pa.StringArray, pa.ChunkedArray)


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

    def columns(self) -> dict[str, int]:
        """Return the position of each column that has a name.

        Raises:
            JudgmentsError: a name occurs twice.
        """
        named = [name for name in self.names if name]
        if repeated := sorted({name for name in named if named.count(name) > 1}):
            raise JudgmentsError(f"{self.path}: the header has {listed(repeated)} twice")
        return {name: place for place, name in enumerate(self.names) if name}


@dataclass(frozen=True)
class Cells:
    """The rows below a header that are not empty. Texts are stripped; a cell that is empty or NA has no text.

    Attributes:
        header: the header.
        names: the distinct texts of the columns with few texts.
        codes: positions in ``names`` by the position of the column, (rows,) each; -1 for a cell without text.
        texts: the other columns by their position, (rows,) each; null for a cell without text.
        records: (rows,) the index of each row among all records below the header; empty records count.
    """

    header: Header
    names: pa.StringArray
    codes: Mapping[int, NDArray[np.int32]]
    texts: Mapping[int, pa.ChunkedArray]
    records: NDArray[np.int64]

    def __len__(self) -> int:
        return self.records.size

    def labels(self, place: int) -> Labels:
        """Return a column with few distinct texts."""
        return Labels(self.names, self.codes[place]).used()

    def images(self, places: Sequence[int]) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
        """Return the ids in several columns, and (rows, columns) positions in them; -1 for an empty cell."""
        used = Labels(self.names, np.concatenate([self.codes[place] for place in places])).used()
        return strings(used.names), used.code.reshape(len(places), -1).T

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
    encoding = _encoding(path, kind_of(path))
    with path.open(encoding=encoding, newline="") as text:
        try:
            return _header(path, encoding, text)
        except UnicodeError as failure:
            raise JudgmentsError(_undecodable(path, encoding)) from failure
        except csv.Error as failure:
            raise JudgmentsError(f"{path}: the first line cannot be read: {failure}") from failure


def no_header(path: Path, names: Sequence[str]) -> Header:
    """Return the header of a delimited text whose first line is a row; blanks separate cells without commas.

    Args:
        path: the file.
        names: the names of its columns.

    Raises:
        JudgmentsError: the file is not text.
    """
    kind = kind_of(path)
    encoding = _encoding(path, kind)
    return Header(path, encoding, (kind.text and kind.text.delimiter) or " ", 0, tuple(names))


def _encoding(path: Path, kind: Kind) -> str:
    if kind.text is None:
        raise JudgmentsError(f"{path}: this is {kind.description}, not a CSV; {advice(kind, Expected.JUDGMENTS)}")
    if kind.text.encoding in ("latin-1", "cp1252"):
        raise JudgmentsError(_undecodable(path, "utf-8"))
    return "utf-8-sig" if kind.text.encoding in _UTF8 else kind.text.encoding


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


def read_cells(header: Header, coded: Collection[int]) -> Cells:
    """Read the rows below a header.

    Args:
        header: the header.
        coded: the positions of the columns with few distinct texts, which become codes.

    Raises:
        JudgmentsError: a row has a different number of cells than the header, a null character, or a byte outside
            the file's encoding; the message names its line.
        OSError: the file cannot be read.
    """
    types = [_CATEGORY if place in coded else pa.string() for place in range(len(header.names))]
    try:
        table = _fast(header, types)
    except (pa.ArrowException, UnicodeError):
        table = _slow(header, types)
    names, codes = _encoded([table.column(place) for place in coded])
    texts = {place: _trimmed(table.column(place)) for place in range(len(types)) if place not in coded}
    filled = (codes >= 0).any(axis=0)
    if not filled.all():
        for column in texts.values():
            filled |= column.is_valid().to_numpy()
        codes = codes[:, filled]
        texts = {place: column.filter(pa.array(filled)) for place, column in texts.items()}
    cells = Cells(header, names, dict(zip(coded, codes, strict=True)), texts, np.flatnonzero(filled))
    _refuse_nulls(cells)
    return cells


def _fast(header: Header, types: Sequence[pa.DataType]) -> pa.Table:
    """Read regular text."""
    names = [str(position) for position in range(len(types))]
    encoding = "utf-8" if header.encoding in _UTF8 else header.encoding
    return arrow_csv.read_csv(
        header.path,
        read_options=arrow_csv.ReadOptions(
            column_names=names, skip_rows=header.lines, block_size=_BLOCK, encoding=encoding
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=header.separator, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)), null_values=_MISSING, strings_can_be_null=True
        ),
    )


def _slow(header: Header, types: Sequence[pa.DataType]) -> pa.Table:
    """Read irregular text: rows may end in more empty cells than the header has."""
    names = [str(position) for position in range(len(types))]
    schema = pa.schema(zip(names, types, strict=True))
    with header.open() as text:
        rows = (_row(header, line, cells) for line, cells in _records(header, text))
        batches = iter(lambda: list(islice(rows, _ROWS)), [])
        return pa.Table.from_batches([_batch(batch, schema) for batch in batches], schema)


def _row(header: Header, line: int, cells: Sequence[str]) -> list[str | None]:
    """Return a row with as many cells as the header; None for a missing value."""
    width = len(header.names)
    if any(cell.strip() for cell in cells[width:]) or (len(cells) < width and any(cell.strip() for cell in cells)):
        wanted = f"the header {width}" if header.lines else f"not {width}"
        raise JudgmentsError(f"{header.path}: line {line} has {len(cells)} cells, {wanted}")
    padded = [*cells, *[""] * (width - len(cells))]  # a shorter row is a blank line
    return [None if cell in _MISSING else cell for cell in padded[:width]]


def _batch(rows: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]
    return pa.record_batch(
        [
            column.dictionary_encode() if kind == _CATEGORY else column
            for column, kind in zip(columns, schema.types, strict=True)
        ],
        schema,
    )


def _records(header: Header, text: TextIO) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the records below the header, each with its first line; empty lines are skipped."""
    reader = csv.reader(text, delimiter=header.separator)
    begins = 1
    try:
        if header.separator == " " and not header.lines:
            # A line of blanks is a record, as it is for Arrow.
            yield from ((number, line.split()) for number, line in enumerate(text, 1) if line.rstrip("\r\n"))
            return
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


def _encoded(columns: Sequence[pa.ChunkedArray]) -> tuple[pa.StringArray, NDArray[np.int32]]:
    """Encode columns of categories by one list of names: (columns, rows) positions in it; -1 for an empty cell."""
    chunks = pa.chunked_array([chunk for column in columns for chunk in column.chunks], _CATEGORY)
    named = [chunk for chunk in chunks.unify_dictionaries().chunks if len(chunk)]
    if not named:
        return pa.array([], pa.string()), np.zeros((len(columns), 0), np.int32)
    codes = np.concatenate([pc.fill_null(chunk.indices, -1).to_numpy() for chunk in named])
    names = _trimmed(named[0].dictionary)
    if names is not named[0].dictionary:
        merged = names.dictionary_encode()
        names, places = merged.dictionary, pc.fill_null(merged.indices, -1).to_numpy()
        codes = np.append(places, np.int32(-1))[codes]
    return names, codes.reshape(len(columns), -1)


def _trimmed(texts: _Texts) -> _Texts:
    """Strip texts; blank texts become null. Return the same object if there is nothing to strip."""
    stripped = pc.utf8_trim_whitespace(texts)
    if stripped.equals(texts):
        return texts
    return pc.if_else(pc.is_in(stripped, pa.array(_MISSING)), pa.scalar(None, pa.string()), stripped)


def _refuse_nulls(cells: Cells) -> None:
    """Refuse null characters."""
    bad = np.append(pc.match_substring(cells.names, "\0").to_numpy(zero_copy_only=False), False)
    for place in range(len(cells.header.names)):
        if place in cells.texts:
            row = pc.index(pc.match_substring(cells.texts[place], "\0"), True).as_py()
        else:
            row = next(iter(np.flatnonzero(bad[cells.codes[place]]).tolist()), -1) if bad.any() else -1
        if row >= 0:
            raise JudgmentsError(
                f"{cells.header.path}: line {cells.line_of(row)} has a null character; the file is damaged"
            )
