"""Reader of THINGS' raw odd-one-out judgments: a table with one trial a line (Hebart et al., 2023; OSF f5rn6).

Cells are separated by tabs, though the file is named ``.csv``. ``image1`` to ``image3`` count objects from 1,
``choice`` is the position of the odd one, from 1. ``noise_ceiling`` marks the trials that were repeated: 0 none, 1
random triplets, 2 other triplets shown twice to the same person, 3 the triplets of 1 shown to other people.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from simtool.errors import listed
from simtool.judgments.assembly import JudgmentsError, Places, assemble
from simtool.judgments.cells import Cells, read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.records import odd_one_out
from simtool.judgments.shown import from_cells
from simtool.judgments.values import guessed, named, numbers, positions
from simtool.kinds import Kind
from simtool.tables.carried import Carried, carried_names

__all__ = ["read", "recognises"]

_IMAGES = ("image1", "image2", "image3")
_CHOICE, _PARTICIPANT, _SESSION, _RESPONSE_MS = "choice", "subject_id", "HIT_nr", "RT"
#: Columns that tell these judgments from tables whose choice is something else.
_OWN = frozenset(("noise_ceiling", _SESSION))
_USED = frozenset((*_IMAGES, _CHOICE, _PARTICIPANT, _SESSION, _RESPONSE_MS))


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the header decides
    """Accept a table with this header: see :class:`simtool.judgments.formats.Reader`."""
    return {*_IMAGES, _CHOICE} <= set(kind.keys) and not _OWN.isdisjoint(kind.keys)


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - numbers are positions
    """Read the table; ``HIT_nr`` is the session: see :class:`simtool.judgments.formats.Reader`."""
    header = read_header(source)
    place = header.columns()
    if missing := [name for name in (*_IMAGES, _CHOICE) if name not in place]:
        raise JudgmentsError(f"{source}: not THINGS' raw judgments: no columns {listed(missing)}")
    if "image4" in place:
        raise JudgmentsError(f"{source}: not THINGS' raw judgments: they show three images, not image4")
    cells = read_cells(header, [at for name, at in place.items() if name != _RESPONSE_MS])
    places = Places(str(source), lambda row: f"{source}: line {cells.line_of(row)}")
    if not len(cells):
        raise JudgmentsError(f"{source}: no trials below the header")
    labels = {name: cells.labels(place[name]) for name in (_CHOICE, _PARTICIPANT, _SESSION) if name in place}
    shown = from_cells(cells, [place[name] for name in _IMAGES], 1, places)
    record = replace(
        odd_one_out(shown, positions(labels[_CHOICE], _CHOICE, len(_IMAGES), places)),
        participant=named(labels.get(_PARTICIPANT)),
        session=named(labels.get(_SESSION)),
        response_ms=numbers(cells.texts[place[_RESPONSE_MS]], _RESPONSE_MS, places) if _RESPONSE_MS in place else None,
        extra=_carried(cells, {name: at for name, at in place.items() if name not in _USED}),
    )
    return Reading(assemble(record, places), [source])


def _carried(cells: Cells, others: dict[str, int]) -> Carried:
    """Return other columns, each with the type of its values."""
    names = carried_names(others)
    return {names[name]: _typed(cells, place) for name, place in others.items()}


def _typed(cells: Cells, place: int) -> pa.Array:
    labels = cells.labels(place)
    values = guessed(pa.chunked_array([labels.names]))
    if pa.types.is_string(values.type):
        return labels.to_arrow()
    return values.take(pa.array(labels.code, mask=labels.code < 0))
