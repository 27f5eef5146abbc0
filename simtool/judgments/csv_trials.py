"""Reader of CSV files of judgments: one trial a line, images by their ids.

The header is ``query,reference_1,...,reference_N,selected_1,...,selected_K`` for choices, and
``image_1,...,image_N,odd_one`` for odd-one-out judgments, in any order and case; a codebook names columns that are
called otherwise. The columns ``participant``, ``session``, ``weight``, ``response_ms`` (or ``response_s``, in seconds),
``ranked`` and ``count`` are optional; other columns are kept. An empty cell of a reference or an image makes a trial
shorter. With several selections, ``selected_1`` is the first choice, unless ``ranked`` is ``false``. A trial without a
selection has no answer.

A selection is the id of an image, the name of its column, or an answer that the codebook explains. Instead of
selections, ``votes_1,...,votes_N`` may hold how many people selected each image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.answers import Answers
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import is_catalog
from simtool.judgments.cells import Cells, Header, read_cells, read_header
from simtool.judgments.codebook import Codebook
from simtool.judgments.formats import Reading
from simtool.judgments.headings import Headings, recognize
from simtool.judgments.oddities import remarks
from simtool.judgments.suffixes import with_suffix
from simtool.judgments.values import carried, counts, named, numbers, truths
from simtool.judgments.votes import voted
from simtool.kinds import Kind

__all__ = ["read", "read_csv_trials", "recognises"]

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


def read_csv_trials(path: Path, codebook: Codebook | None = None) -> Judgments:
    """Read a CSV of judgments in UTF-8 or UTF-16; commas, tabs or semicolons separate its cells.

    Args:
        path: the file.
        codebook: the names of its columns and the meaning of its answers, where the file does not say them.

    Raises:
        JudgmentsError: the file is malformed, or is not the one of the codebook; the message names the line.
        OSError: the file cannot be read.
    """
    header = read_header(path)
    try:
        headings = recognize(header.names, codebook)
        codes = codebook.places(header.names, _columns(header, headings)) if codebook else {}
        if codes and headings.votes:
            raise ValueError("--answer explains answers, but the file holds votes; leave it out")
    except ValueError as failure:
        raise JudgmentsError(f"{path}: {failure}") from failure
    cells = read_cells(header, _coded(headings))
    if not len(cells):
        raise JudgmentsError(f"{path}: no trials below the header")
    places = Places(str(path), lambda row: f"{path}: line {cells.line_of(row)}")
    judgments = _judgments(cells, headings, codes, places)
    unnamed = tuple(place + 1 for place in headings.unnamed if cells.texts[place].null_count < len(cells))
    return replace(judgments, unnamed=unnamed, notes=(*judgments.notes, *remarks(cells, headings)))


def _coded(headings: Headings) -> list[int]:
    """Return the columns with few distinct texts."""
    few = (place for name, place in headings.optional.items() if name in _FEW_TEXTS)
    return [*_shown(headings), *headings.votes, *few]


def _shown(headings: Headings) -> list[int]:
    """Return the columns of images."""
    query = [] if headings.query is None else [headings.query]
    return [*query, *headings.references, *headings.selected]


def _columns(header: Header, headings: Headings) -> dict[str, int]:
    """Return the positions of the columns of images that can be selected, by their headings and by their own names."""
    stem = "image" if headings.query is None else "reference"
    known = {f"{stem}_{number}": place for number, place in enumerate(headings.references, 1)}
    return {header.names[place]: place for place in headings.references} | known


def _judgments(cells: Cells, headings: Headings, codes: Mapping[str, int | None], places: Places) -> Judgments:
    images, positions = cells.images(_shown(headings))
    _refuse_headers(cells.header, _shown(headings), images, positions, places)
    positions, shortened = with_suffix(images, positions)
    queries, shown, chosen = np.split(positions, _splits(headings), axis=1)
    references = _closed_up(shown)
    record = _record(cells, headings, images, queries, references, places)
    notes: tuple[str, ...] = ()
    if headings.votes:
        judgments = voted(record, _votes(cells, headings, shown, places), places)
    else:
        answers = Answers(
            images, shown, chosen, headings.references, _columns(cells.header, headings), headings.query is None
        )
        selected, notes = answers.selected(codes, places)
        if queries.size:
            places.refuse((selected >= 0).any(axis=1) & (queries[:, 0] < 0), "has no query")
        in_references = _positions(references, _closed_up(selected), places, answers)
        judgments = assemble(replace(record, selected=in_references), places)
    return replace(judgments, notes=(*judgments.notes, *notes, *shortened))


def _splits(headings: Headings) -> tuple[int, int]:
    """Return where the references begin and end among the columns of images."""
    queries = int(headings.query is not None)
    return queries, queries + len(headings.references)


def _record(
    cells: Cells,
    headings: Headings,
    images: NDArray[np.object_],
    queries: NDArray[np.int32],
    references: NDArray[np.int32],
    places: Places,
) -> Record:
    """Return the trials without their selections."""
    labels = {name: cells.labels(place) for name, place in headings.optional.items() if place in cells.codes}
    figures = {
        name: numbers(cells.texts[place], name, places)
        for name, place in headings.optional.items()
        if place in cells.texts
    }
    with np.errstate(over="ignore"):  # a time that overflows is refused later
        milliseconds = 1000 * figures["response_s"] if "response_s" in figures else figures.get("response_ms")
    return Record(
        images=images,
        query=queries[:, 0] if queries.size else None,
        references=references,
        selected=np.full((len(cells), 1), -1, np.int16),
        ranked=truths(labels["ranked"], "ranked", places) if "ranked" in labels else np.ones(len(cells), bool),
        trial_id=np.arange(len(cells), dtype=np.int64),
        participant=named(labels.get("participant")),
        session=named(labels.get("session")),
        weight=figures.get("weight"),
        response_ms=milliseconds,
        count=counts(labels["count"], "count", places) if "count" in labels else None,
        extra=carried({name: cells.texts[place] for name, place in headings.others.items()}),
    )


def _votes(cells: Cells, headings: Headings, shown: NDArray[np.int32], places: Places) -> NDArray[np.int64]:
    """Return the votes for each reference, in the order of the closed-up references."""
    columns = [
        counts(cells.labels(place), cells.header.names[place], places, needed)
        for place, needed in zip(headings.votes, (shown >= 0).T, strict=True)
    ]
    votes = np.stack(columns, axis=1)
    of_nothing: NDArray[np.bool_] = np.any((votes > 0) & (shown < 0), axis=1)
    places.refuse(of_nothing, "has votes for an empty cell")
    return np.take_along_axis(votes, np.argsort(shown < 0, axis=1, kind="stable"), axis=1)


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


def _positions(
    references: NDArray[np.int32], chosen: NDArray[np.int32], places: Places, answers: Answers
) -> NDArray[np.int16]:
    """Return the positions of the selected images among the references of their rows; -1 without a selection."""
    positions = np.full_like(chosen, -1, np.int16)
    for rank in range(chosen.shape[1]):
        given = chosen[:, rank] >= 0
        for place in reversed(range(references.shape[1])):  # the first of equal references counts
            positions[given & (references[:, place] == chosen[:, rank]), rank] = place
    unknown = (chosen >= 0) & (positions < 0)
    for rank, wrong in enumerate(unknown.T):
        if wrong.any():
            row = int(wrong.argmax())
            places.refuse(wrong, answers.complaint(chosen[row, rank], references[row], chosen[unknown]))
    return positions
