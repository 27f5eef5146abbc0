"""The images that the rows of a source show, by their numbers or by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.errors import clipped
from simtool.judgments.arrays import are_whole
from simtool.judgments.assembly import Places
from simtool.judgments.cells import Cells
from simtool.tables.files import objects

__all__ = ["Shown", "from_cells", "from_numbers"]

#: Maximum number of images; a larger number is a sign of damage.
MOST_IMAGES = 10_000_000
_NUMBER = re.compile(r"[-+]?\d{1,30}(\.\d{0,30})?([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """The images of T rows.

    Attributes:
        images: (n,) their ids.
        rows: (T, N) positions in ``images``, in the order of the source.
        numbered: whether the source numbers its images.
    """

    images: NDArray[np.object_]
    rows: NDArray[np.int32]
    numbered: bool = False

    def columns(self, *order: int) -> Shown:
        """The same images with some of the columns, in another order."""
        return replace(self, rows=self.rows[:, list(order)])


def from_numbers(numbers: NDArray[np.int64], first: int, places: Places) -> Shown:
    """Take images from their numbers. The id of an image is its number, counted from 0, as text.

    Args:
        numbers: (T, N) the numbers.
        first: the number of the first image in the source, 0 or 1.
        places: the names of the rows.

    Raises:
        JudgmentsError: a number is out of range; the message names its row.
    """
    _refuse(numbers < first, numbers, places, f"shows image {{}}, but images count from {first} in this format")
    _refuse(numbers >= MOST_IMAGES, numbers, places, f"shows image {{}}; at most {MOST_IMAGES:,} images are read")
    present = np.zeros(int(numbers.max()) - first + 1, bool)
    present[numbers - first] = True
    place = np.cumsum(present, dtype=np.int32) - np.int32(1)
    ids = objects(list(map(str, np.flatnonzero(present).tolist())))
    return Shown(ids, place[numbers - first], numbered=True)


def from_cells(cells: Cells, columns: Sequence[int], first: int, places: Places) -> Shown:
    """Take images from columns of text, which hold numbers or names.

    Args:
        cells: the cells; the columns are coded.
        columns: the positions of the columns.
        first: the number of the first image in the source.
        places: the names of the rows.

    Raises:
        JudgmentsError: a cell is empty, or numbers and names are mixed; the message names its row.
    """
    images, codes = cells.images(columns)
    places.refuse(np.asarray((codes < 0).any(axis=1)), "lacks an image")
    values = _numbers(images)
    if np.isnan(values).all():
        return Shown(images, codes)
    wrong = ~are_whole(values)
    if wrong.any():
        found = clipped(images[wrong.argmax()], 40)
        places.refuse(
            np.asarray(wrong[codes].any(axis=1)), f"has {found!r}, which is not a whole number like other images"
        )
    return from_numbers(values.astype(np.int64)[codes], first, places)


def _numbers(texts: NDArray[np.object_]) -> NDArray[np.float64]:
    """Convert texts to numbers; NaN for a text that is no number."""
    return np.array([float(text) if _NUMBER.fullmatch(text) else np.nan for text in texts])


def _refuse(wrong: NDArray[np.bool_], numbers: NDArray[np.int64], places: Places, complaint: str) -> None:
    if wrong.any():
        places.refuse(np.asarray(wrong.any(axis=1)), complaint.format(numbers[wrong][0]))
