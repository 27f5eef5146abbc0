"""Reader of CSV files of judgments: one trial a line, images by their ids.

The header is ``query,reference_1,...,reference_N,selected_1,...,selected_K`` for choices, and
``image_1,...,image_N,odd_one`` for odd-one-out judgments, in any order and case. The columns ``participant``,
``session``, ``weight``, ``response_ms``, ``ranked`` and ``count`` are optional; other columns are kept. An empty cell
of a reference or an image makes a trial shorter. With several selections, ``selected_1`` is the first choice, unless
``ranked`` is ``false``. A trial without a selection has no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.errors import clipped, listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import is_catalog
from simtool.judgments.cells import Cells, Header, read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.headings import Headings, recognize
from simtool.judgments.values import NO_ANSWER, carried, counts, named, numbers, truths
from simtool.kinds import Kind

__all__ = ["read", "read_csv_trials", "recognises"]

#: Faults of a selection that is not shown, for choices and for odd-one-out judgments.
_NOT_SHOWN = (
    "selects {named}, which is not among its references {shown}; write the id of a reference",
    "has the odd one {named}, which is not among its images {shown}; write the id of the odd image, not its position",
)
#: Optional columns in which few texts occur often.
_FEW_TEXTS = frozenset(("participant", "session", "ranked", "count"))


def recognises(source: Path, kind: Kind) -> bool:
    """Accept every text except a catalog of stimuli: see :class:`simtool.judgments.formats.Reader`."""
    if "query" not in kind.keys and is_catalog(source):
        raise JudgmentsError(f"{source}: this is a catalog of stimuli, not judgments; give it as --catalog")
    return True


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - a CSV names its images
    """Read a CSV of judgments: see :class:`simtool.judgments.formats.Reader`."""
    return Reading(read_csv_trials(source), [source])


def read_csv_trials(path: Path) -> Judgments:
    """Read a CSV of judgments in UTF-8 or UTF-16; commas, tabs or semicolons separate its cells.

    Raises:
        JudgmentsError: the file is malformed; the message names the line.
        OSError: the file cannot be read.
    """
    header = read_header(path)
    try:
        headings = recognize(header.names)
    except ValueError as failure:
        raise JudgmentsError(f"{path}: {failure}") from failure
    cells = read_cells(header, _coded(headings))
    if not len(cells):
        raise JudgmentsError(f"{path}: no trials below the header")
    judgments = _judgments(cells, headings, Places(str(path), lambda row: f"{path}: line {cells.line_of(row)}"))
    unnamed = tuple(place + 1 for place in headings.unnamed if cells.texts[place].null_count < len(cells))
    return replace(judgments, unnamed=unnamed)


def _coded(headings: Headings) -> list[int]:
    """Return the columns with few distinct texts."""
    return [*_shown(headings), *(place for name, place in headings.optional.items() if name in _FEW_TEXTS)]


def _shown(headings: Headings) -> list[int]:
    """Return the columns of images."""
    query = [] if headings.query is None else [headings.query]
    return [*query, *headings.references, *headings.selected]


def _judgments(cells: Cells, headings: Headings, places: Places) -> Judgments:
    images, codes = cells.images(_shown(headings))
    _refuse_headers(cells.header, _shown(headings), images, codes, places)
    shown, chosen = np.split(codes, [-len(headings.selected)], axis=1)
    query, shown = (None, shown) if headings.query is None else (shown[:, 0], shown[:, 1:])
    references = _closed_up(shown)
    answered = _without_fillers(chosen, references, images)
    if query is not None:
        places.refuse((answered >= 0).any(axis=1) & (query < 0), "has no query")
    labels = {name: cells.labels(place) for name, place in headings.optional.items() if place in cells.codes}
    figures = {
        name: numbers(cells.texts[place], name, places)
        for name, place in headings.optional.items()
        if place in cells.texts
    }
    ranked = truths(labels["ranked"], "ranked", places) if "ranked" in labels else np.ones(len(cells), bool)
    return assemble(
        Record(
            images=images,
            query=query,
            references=references,
            selected=_positions(references, _closed_up(answered), places, images, _NOT_SHOWN[query is None]),
            ranked=ranked,
            trial_id=np.arange(len(cells), dtype=np.int64),
            participant=named(labels.get("participant")),
            session=named(labels.get("session")),
            weight=figures.get("weight"),
            response_ms=figures.get("response_ms"),
            count=counts(labels["count"], "count", places) if "count" in labels else None,
            extra=carried({name: cells.texts[place] for name, place in headings.others.items()}),
        ),
        places,
    )


def _refuse_headers(
    header: Header, shown: Sequence[int], images: NDArray[np.object_], codes: NDArray[np.int32], places: Places
) -> None:
    """Refuse rows that repeat the header, as concatenated files have."""
    again = np.ones(len(codes), bool)
    for place, code in zip(shown, codes.T, strict=True):
        again &= np.isin(code, np.flatnonzero(images == header.names[place]))
    places.refuse(again, "repeats the header; delete it")


def _closed_up(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move the empty cells of each row to its end; the order of the other cells stays."""
    empty = codes < 0
    gaps = np.flatnonzero((empty[:, :-1] & ~empty[:, 1:]).any(axis=1))
    if gaps.size:
        codes = codes.copy("K")
        codes[gaps] = np.take_along_axis(codes[gaps], np.argsort(empty[gaps], axis=1, kind="stable"), axis=1)
    return codes


def _without_fillers(
    chosen: NDArray[np.int32], references: NDArray[np.int32], images: NDArray[np.object_]
) -> NDArray[np.int32]:
    """Remove selections such as ``timeout`` that mean "no answer", unless a reference has this name."""
    fillers = np.flatnonzero([name.casefold() in NO_ANSWER for name in images])
    if not fillers.size:
        return chosen
    listed = (chosen[:, :, None] == references[:, None, :]).any(axis=2)
    return np.where(np.isin(chosen, fillers) & ~listed, -1, chosen)


def _positions(
    references: NDArray[np.int32],
    chosen: NDArray[np.int32],
    places: Places,
    images: NDArray[np.object_],
    not_shown: str,
) -> NDArray[np.int16]:
    """Return the positions of the selected images among the references of their rows; -1 without a selection."""
    positions = np.full_like(chosen, -1, np.int16)
    for rank in range(chosen.shape[1]):
        given = chosen[:, rank] >= 0
        for place in reversed(range(references.shape[1])):  # the first of equal references counts
            positions[given & (references[:, place] == chosen[:, rank]), rank] = place
        unknown = given & (positions[:, rank] < 0)
        if unknown.any():
            row = int(unknown.argmax())
            name, shown = images[chosen[row, rank]], images[references[row][references[row] >= 0]]
            as_float = name.endswith(".0") and name.removesuffix(".0") in shown
            hint = "; pandas adds the .0 where cells are empty: save the column as Int64" if as_float else ""
            places.refuse(unknown, not_shown.format(named=clipped(name), shown=listed(shown)) + hint)
    return positions
