"""Reader of the judgments of musicseer (Ellis et al., 2002): which of two artists is more similar to a third one.

Lines have the number of the judgment, ``S`` (survey) or ``G`` (game), the user, the target, the chosen artist and
another one, separated by blanks. A line without another artist compares nothing. Two lines at the end have no trial.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from simtool.errors import clipped
from simtool.judgments.assembly import JudgmentsError, Places, assemble
from simtool.judgments.formats import Reading
from simtool.judgments.records import near_far
from simtool.judgments.shown import Shown
from simtool.kinds import Kind
from simtool.tables.files import objects
from simtool.tables.labels import Labels
from simtool.text import counted

__all__ = ["read", "recognises"]

_HEADER = ["judgement", "survey", "user", "target", "chosen", "other"]
_CLOSING = 2
#: Maximum bytes of a file; the published file has a few megabytes.
MOST_BYTES = 1 << 28


def recognises(source: Path, kind: Kind) -> bool:
    """Accept a text with this first line: see :class:`simtool.judgments.formats.Reader`."""
    if kind.text is None:
        return False
    with source.open(encoding=kind.text.encoding, errors="replace") as text:
        return text.readline(4096).split() == _HEADER


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - numbers are the names of artists
    """Read the lines, each as a trial; ``survey`` and ``judgement`` are kept as columns.

    See :class:`simtool.judgments.formats.Reader`.
    """
    rows = _rows(source)
    places = Places(str(source), lambda row: f"{source}: line {row + 2}")
    judgement, survey, user, *images = zip(*rows, strict=True)
    target, chosen, other = (np.array(column, object) for column in images)
    compares = (other != chosen) & (other != target) & (chosen != target)
    compares &= (other != "") & (chosen != "") & (target != "")
    if not compares.any():
        raise JudgmentsError(f"{source}: no line has three artists")
    labels = Labels.of([*target, *chosen, *other])
    shown = Shown(objects(labels.names.to_pylist()), labels.code.reshape(3, -1).T)
    record = replace(
        near_far(shown),
        count=compares.astype(np.int64),
        participant=Labels.of(user),
        extra={"judgement": Labels.of(judgement).to_arrow(), "survey": Labels.of(survey).to_arrow()},
    )
    judgments = assemble(record, places)
    if nothing := int((~compares).sum()):
        judgments = replace(judgments, notes=(f"left out {counted(nothing, 'lines')} with fewer than three artists",))
    return Reading(judgments, [source])


def _rows(source: Path) -> list[list[str]]:
    """Return the cells of the lines below the header."""
    if (size := source.stat().st_size) > MOST_BYTES:
        raise JudgmentsError(f"{source}: {size:,} bytes are too large for the judgments of musicseer")
    try:
        lines = source.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    except UnicodeDecodeError as failure:
        raise JudgmentsError(f"{source}: not in UTF-8; get it again") from failure
    rows = [line.rstrip("\r").split(" ") for line in lines]
    for _ in range(_CLOSING):
        if len(rows) > 1 and len(rows[-1]) != len(_HEADER):
            rows.pop()
    if rows[0] != _HEADER:
        raise JudgmentsError(f"{source}: the first line should be {' '.join(_HEADER)}; it is {clipped(lines[0])}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(_HEADER):
            raise JudgmentsError(f"{source}: line {number} has {len(row)} cells, the header {len(_HEADER)}")
    if len(rows) == 1:
        raise JudgmentsError(f"{source}: no trials below the header")
    return rows[1:]
