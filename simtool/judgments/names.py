"""Names of images for the ids of judgments: a list of names, or a table of ids and names.

Three layouts, told apart by content:

- a table with the columns ``id`` and ``name``;
- a table with a column ``uniqueID``, such as THINGS' ``things_concepts.tsv``: the id of a name is its row, from 0;
- a list with one name a line, such as THINGS' ``unique_id.txt``: the id of a name is its row, from 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simtool.errors import SimtoolError, clipped
from simtool.ids import Matches, match_ids
from simtool.judgments.cells import Cells, Header, read_cells, read_header
from simtool.kinds import What, kind_of
from simtool.tables.files import objects
from simtool.tables.trials import Trials
from simtool.text import counted

__all__ = ["Names", "NamesError", "read_names"]

_ID, _NAME, _UNIQUE_ID = "id", "name", "uniqueid"
#: First lines that are the header of a list; as a name, it would shift all others.
_HEADERS = frozenset(
    f"{word}{end}" for word in ("name", "filename", "image", "imageid", "id", "concept") for end in ("", "s")
)


class NamesError(SimtoolError):
    """A file of names is malformed, or does not name every image; the message names the file."""


@dataclass(frozen=True)
class Names:
    """The names of images by their ids.

    Attributes:
        source: the file, for messages.
        ids: the distinct ids.
        names: the name of each id; distinct.
        are_rows: whether the ids are the rows of the file, from 0.
    """

    source: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    are_rows: bool

    @property
    def extent(self) -> str:
        """The number of names and the range of ids: ``1,854 names, 0 to 1853``."""
        return f"{counted(len(self.names), 'names')}, {self.ids[0]} to {self.ids[-1]}"

    def apply(self, trials: Trials) -> tuple[Trials, Matches]:
        """Name the images of trials; return the trials, and how their ids match.

        Raises:
            NamesError: an id has no name, or fits several ids of the file.
        """
        matches = match_ids(trials.images, self.ids)
        if matches.complaint:
            shown = {*trials.images}
            late = self.are_rows and "0" not in shown and str(len(self.ids)) in shown
            hint = "; its rows count from 0: for ids that count from 1, write a CSV of id,name" if late else ""
            raise NamesError(f"{self.source}: {matches.complaint}{hint}")
        return replace(trials, images=objects(self.names)[matches.rows]), matches


def read_names(path: Path) -> Names:
    """Read names in any of the three layouts.

    Raises:
        NamesError: the file has another layout; a line has no name; an id or a name occurs twice.
        JudgmentsError: the text cannot be decoded, or a line has a different number of cells.
        OSError: the file cannot be read.
    """
    kind = kind_of(path)
    if kind.damage or kind.what not in (What.CSV, What.TEXT):
        raise NamesError(_refusal(path, kind.description))
    header = read_header(path)
    columns = [_plain(name) for name in header.names]
    if columns.count(_ID) == 1 and columns.count(_NAME) == 1:
        cells = read_cells(header, [columns.index(_ID), columns.index(_NAME)])
        ids, names = (_filled(cells, columns.index(name)) for name in (_ID, _NAME))
        return _names(path, ids, names, cells.line_of)
    if columns.count(_UNIQUE_ID) == 1:
        cells = read_cells(header, [columns.index(_UNIQUE_ID)])
        return _names(path, None, _filled(cells, columns.index(_UNIQUE_ID)), cells.line_of)
    if kind.what is What.CSV:
        raise NamesError(_refusal(path, kind.description))
    return _names(path, None, _lines(header), lambda row: row + 1)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold())


def _refusal(path: Path, found: str) -> str:
    return (
        f"{path}: this is {found}, not a table of images (Parquet), a list of names (one a line), or a CSV with the "
        "header id,name"
    )


def _filled(cells: Cells, place: int) -> list[str]:
    """The texts of a column without empty cells."""
    column = cells.labels(place)
    if (empty := column.code < 0).any():
        row = int(empty.argmax())
        raise NamesError(f"{cells.header.path}: line {cells.line_of(row)} has no {cells.header.names[place]}")
    return [text for text in column if text is not None]


def _lines(header: Header) -> list[str]:
    """The lines of a list; only its end may have empty lines."""
    try:
        with header.open() as text:
            lines = [line.strip() for line in text.read().rstrip().splitlines()]
    except UnicodeError as failure:
        raise NamesError(
            f"{header.path}: not all of it is {header.encoding.removesuffix('-sig').upper()}: save it as UTF-8"
        ) from failure
    if "" in lines:
        raise NamesError(f"{header.path}: line {lines.index('') + 1} is empty; a list has one name a line")
    if lines and _plain(lines[0]) in _HEADERS:
        raise NamesError(
            f"{header.path}: line 1 is a header ({lines[0]}): remove it, because ids are the lines, from 0"
        )
    return lines


def _names(path: Path, ids: Sequence[str] | None, names: Sequence[str], line_of: Callable[[int], int]) -> Names:
    """Check that ids and names are distinct. Without ids, the ids are the rows."""
    if not names:
        raise NamesError(f"{path}: no names below the header")
    _refuse_repeated(path, "name", names, line_of)
    if ids is None:
        return Names(str(path), tuple(map(str, range(len(names)))), tuple(names), are_rows=True)
    _refuse_repeated(path, "id", ids, line_of)
    return Names(str(path), tuple(ids), tuple(names), are_rows=False)


def _refuse_repeated(path: Path, what: str, values: Sequence[str], line_of: Callable[[int], int]) -> None:
    if repeated := [value for value, count in Counter(values).items() if count > 1]:
        first, second = [row for row, value in enumerate(values) if value == repeated[0]][:2]
        lines = f"{clipped(repeated[0])} (lines {line_of(first)} and {line_of(second)})"
        others = f" and {len(repeated) - 1:,} more" if repeated[1:] else ""
        raise NamesError(f"{path}: several rows have the same {what}: {lines}{others}")
