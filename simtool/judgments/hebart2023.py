"""Reader of the odd-one-out judgments of Brain-Score's benchmark Hebart2023: a CSV with the header ``img1,img2,ooo``.

Cells are rows of THINGS' list of objects, from 0; ``ooo`` is the odd one (brainscore_vision 2.4.2,
``data/hebart2023/packaging``).
"""

from __future__ import annotations

from pathlib import Path

from simtool.errors import listed
from simtool.judgments.assembly import JudgmentsError, Places, assemble
from simtool.judgments.cells import read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.records import odd_one_out
from simtool.judgments.shown import from_cells
from simtool.kinds import Kind

__all__ = ["read", "recognises"]

_HEADER = ("img1", "img2", "ooo")


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the header decides
    """Accept a table with this header: see :class:`simtool.judgments.formats.Reader`."""
    return set(_HEADER) <= set(kind.keys) and "img3" not in kind.keys


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - numbers are positions
    """Read the table; an index of pandas is left out: see :class:`simtool.judgments.formats.Reader`."""
    header = read_header(source)
    place = header.columns()
    if missing := [name for name in _HEADER if name not in place]:
        raise JudgmentsError(f"{source}: the header should be {','.join(_HEADER)}; {listed(missing)} missing")
    columns = [place[name] for name in _HEADER]
    cells = read_cells(header, columns)
    places = Places(str(source), lambda row: f"{source}: line {cells.line_of(row)}")
    if not len(cells):
        raise JudgmentsError(f"{source}: no trials below the header")
    return Reading(assemble(odd_one_out(from_cells(cells, columns, 0, places), 2), places), [source])
