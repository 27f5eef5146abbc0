"""Readers of three columns of images without a header, as text or as ``.npy``.

The columns hold the numbers of the images, from 0, or their names. Their order is not in the file:

- the odd one last: the triplets of THINGS (OSF f5rn6), SPoSE (OSF z2784), VICE and gLocal, and the scenes of
  Heikinheimo & Ukkonen (2013);
- the odd one first: what cblearn takes as odd-one-out queries;
- a query, the nearer image, the farther image: cblearn's ``list-order``, and Food-100 (Wilber et al., 2014).

So each order is a separate format, which is stated and never guessed.
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import islice
from pathlib import Path

from simtool.judgments.arrays import are_whole, open_array, whole_numbers
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, assemble
from simtool.judgments.cells import no_header, read_cells
from simtool.judgments.formats import Reading
from simtool.judgments.records import near_far, odd_one_out
from simtool.judgments.shown import Shown, from_cells, from_numbers
from simtool.kinds import Kind, What, kind_of

__all__ = ["Layout", "are_triplets", "sibling"]

_COLUMNS = ("image 1", "image 2", "image 3")
_NUMBER = re.compile(r"\d{1,20}(\.\d{0,20})?([eE]\+?\d{1,2})?", re.ASCII)
_IMAGE = re.compile(r".+\.(jpe?g|png|gif|bmp|webp|tiff?|ppm)", re.IGNORECASE)
#: Lines and rows that are looked at to recognise triplets, and the maximum length of such a line.
_LOOKED_AT = 50
_LONGEST = 4096
#: Rows from which on a second image before the third one in every row is no chance.
_MANY = 20
_UNCLEAR = (
    "three columns without a header do not say which image is the odd one: add --format triplets-odd-last (THINGS, "
    "SPoSE, VICE), --format triplets-odd-first, or --format triplets-near-far (query, nearer, farther)"
)


class Layout(Enum):
    """An order of the three columns. Each member is a :class:`simtool.judgments.formats.Reader`.

    Attributes:
        odd: the position of the odd one; None for a query, a nearer and a farther image.
    """

    ODD_LAST = 2
    ODD_FIRST = 0
    NEAR_FAR = None

    def __init__(self, odd: int | None) -> None:
        self.odd = odd

    def recognises(self, source: Path, kind: Kind) -> bool:
        """Refuse triplets without a stated order: see :class:`simtool.judgments.formats.Reader`."""
        if are_triplets(source, kind):
            raise JudgmentsError(f"{source}: {_UNCLEAR}")
        return False

    def read(self, source: Path, catalog: Path | None) -> Reading:  # noqa: ARG002 - numbers are positions
        """Read triplets in this order: see :class:`simtool.judgments.formats.Reader`."""
        if (responses := sibling(source, "query", "response")) is not None:
            raise JudgmentsError(f"{source}: its responses are in {responses}: leave out --format to read both")
        with source.open("rb") as file:
            is_array = file.read(6) == b"\x93NUMPY"
        shown, places = _from_array(source) if is_array else _from_text(source)
        return Reading(self._judgments(shown, places), [source])

    def _judgments(self, shown: Shown, places: Places) -> Judgments:
        if self.odd is not None:
            return assemble(odd_one_out(shown, self.odd), places)
        _, second, third = shown.rows.T
        if shown.numbered and len(second) >= _MANY and (second < third).all():
            raise JudgmentsError(
                f"{places.source}: the second number is less than the third one in every row, so these are cblearn's "
                "queries without their responses; save both in one .npz (query, response)"
            )
        return assemble(near_far(shown), places)


def sibling(source: Path, word: str, other: str) -> Path | None:
    """Return the array beside a file whose name has another word: ``a-response.npy`` for ``a-query.npy``."""
    named = source.with_name(other.join(source.name.rsplit(word, 1)))
    return named if word in source.name and named.is_file() and kind_of(named).what is What.NPY else None


def are_triplets(source: Path, kind: Kind) -> bool:
    """Return whether a source has three columns of whole numbers or of image files, and no header."""
    if kind.what is What.NPY:
        return not kind.damage and _has_triplets(source)
    if kind.text is None:
        return False
    with source.open(encoding=kind.text.encoding, errors="replace") as text:
        lines = list(islice(iter(lambda: text.readline(_LONGEST), ""), _LOOKED_AT))
    rows = [[cell.strip() for cell in _cells(line, kind.text.delimiter)] for line in lines if line.strip()]
    if not rows or any(len(row) != len(_COLUMNS) for row in rows):
        return False
    return all(_is_whole(cell) for row in rows for cell in row) or all(
        _IMAGE.fullmatch(cell) for row in rows for cell in row
    )


def _is_whole(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None and float(cell).is_integer()


def _cells(line: str, delimiter: str) -> list[str]:
    return line.split(delimiter) if delimiter.strip() else line.split()


def _has_triplets(source: Path) -> bool:
    try:
        with open_array(source) as array:
            if array.dtype.kind not in "iuf" or array.shape[1:] != (len(_COLUMNS),) or not array.shape[0]:
                return False
            few = next(array.blocks())[:_LOOKED_AT]
    except JudgmentsError:
        return False
    return bool((are_whole(few) & (few >= 0)).all())


def _from_array(source: Path) -> tuple[Shown, Places]:
    places = Places(str(source), lambda row: f"{source}: row {row}")
    with open_array(source) as array:
        values = array.require("iuf", (None, len(_COLUMNS)), "numbers of shape (trials, 3)").values()
    return from_numbers(whole_numbers(values, places), 0, places), places


def _from_text(source: Path) -> tuple[Shown, Places]:
    cells = read_cells(no_header(source, _COLUMNS), range(len(_COLUMNS)))
    places = Places(str(source), lambda row: f"{source}: line {cells.line_of(row)}")
    if not len(cells):
        raise JudgmentsError(f"{source}: no line has cells")
    return from_cells(cells, range(len(_COLUMNS)), 0, places), places
