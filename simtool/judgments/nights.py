"""Reader of the ``data.csv`` of NIGHTS: which of two distorted images is more similar to a reference, with votes.

A row has the paths of three images (``ref_path``, ``left_path``, ``right_path``), the number of votes, and the shares
``left_vote`` and ``right_vote`` of them, which are 0 and 1 where all people agree. Each vote becomes a trial. The other
columns (``split``, ``is_imagenet``, ``prompt``) and ``votes`` are kept. DreamSim leaves out rows with fewer than six
votes; here all rows with votes stay.

Source: Fu et al., DreamSim (2023), https://github.com/ssundaram21/dreamsim, ``dataset/dataset.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from simtool.judgments.assembly import Judgments, JudgmentsError, Places
from simtool.judgments.cells import Cells, read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.values import carried, counts, numbers
from simtool.judgments.votes import Votes, from_votes, whole_votes
from simtool.kinds import Kind

__all__ = ["read", "recognises"]

_IMAGES = ("ref_path", "left_path", "right_path")
_SHARES = ("left_vote", "right_vote")
_VOTES = "votes"
#: The minimum number of votes of the rows that DreamSim uses.
_FEWEST_USED = 6


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the header is in the kind
    """Return whether the header has the columns of NIGHTS: see :class:`simtool.judgments.formats.Reader`."""
    return {*_IMAGES, *_SHARES, _VOTES} <= set(kind.keys)


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - the rows name their images
    """Read a ``data.csv``: see :class:`simtool.judgments.formats.Reader`."""
    header = read_header(source)
    columns = header.columns()
    if missing := [name for name in (*_IMAGES, *_SHARES, _VOTES) if name not in columns]:
        raise JudgmentsError(f"{source}: not the data.csv of NIGHTS: the header lacks {', '.join(missing)}")
    cells = read_cells(header, [columns[name] for name in (*_IMAGES, _VOTES)])
    if not len(cells):
        raise JudgmentsError(f"{source}: no rows below the header")
    return Reading(_judgments(cells, columns, Places(str(source), lambda row: _line(cells, row))), [source])


def _line(cells: Cells, row: int) -> str:
    return f"{cells.header.path}: line {cells.line_of(row)}"


def _judgments(cells: Cells, columns: dict[str, int], places: Places) -> Judgments:
    images, shown = cells.images([columns[name] for name in _IMAGES])
    places.refuse(shown.min(axis=1) < 0, f"lacks a path: {', '.join(_IMAGES)} must all be there")
    votes = counts(cells.labels(columns[_VOTES]), _VOTES, places)
    left, right = (numbers(cells.texts[columns[name]], name, places) for name in _SHARES)
    places.refuse(~(np.abs(left + right - 1) < 1e-3), "has a left_vote and a right_vote that do not sum to 1")
    chosen = whole_votes(right, votes, places)
    kept = {name: cells.texts[place] for name, place in columns.items() if place in cells.texts and name not in _SHARES}
    judgments = from_votes(
        Votes(images, shown, np.column_stack([votes - chosen, chosen]), {**carried(kept), _VOTES: pa.array(votes)}),
        places,
    )
    few = int(((votes > 0) & (votes < _FEWEST_USED)).sum())
    note = f"{few:,} of {len(cells):,} rows have fewer than {_FEWEST_USED} votes; they are kept (DreamSim omits them)"
    return replace(judgments, notes=(*judgments.notes, note)) if few else judgments
