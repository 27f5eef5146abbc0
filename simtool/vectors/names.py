"""Files of names: one name in each line, in the order of the vectors."""

from __future__ import annotations

from pathlib import Path

from simtool.errors import listed
from simtool.kinds import What, kind_of
from simtool.tables.files import check_unique
from simtool.vectors.vectors import VectorsError

__all__ = ["read_names"]

_TEXTS = (What.TEXT, What.CSV, What.NUMBERS)


def read_names(path: Path) -> list[str]:
    """Read a file of names.

    Blanks around a name and empty lines at the end are ignored.

    Raises:
        VectorsError: the file is no text, or a line is empty.
        TableError: a name is repeated.
        KindError: there is no such file.
    """
    kind = kind_of(path)
    if kind.what not in _TEXTS or kind.text is None:
        raise VectorsError(f"{path}: this is {kind.description}, not a text with one name in each line")
    try:
        lines = [line.strip() for line in path.read_text(kind.text.encoding).rstrip().split("\n")]
    except UnicodeDecodeError as failure:
        raise VectorsError(f"{path}: it is not text in {kind.text.encoding.upper()}; save it in UTF-8") from failure
    if empty := [number for number, line in enumerate(lines, 1) if not line]:
        raise VectorsError(f"{path}: line {listed(empty)} is empty; each vector needs a name")
    check_unique(path, "name", lines)
    return lines
