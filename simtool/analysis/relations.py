"""How the references of a comparison relate to the query: same class, same group."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simtool.ids import match_ids
from simtool.scoring.distances import SimilarityError
from simtool.tables.images import Images
from simtool.tables.trials import Trials

__all__ = ["relations_of"]


def relations_of(trials: Trials, images: Images, table: object = "the table of images") -> NDArray[np.int8]:
    """Say for each comparison what the selected and the other reference share with the query.

    Args:
        trials: T trials.
        images: a row for every image that they mention; null classes and groups are shared with nobody.
        table: what complaints call it, for example its path.

    Returns:
        (T, most comparisons), -1 behind the end. Bits 0 and 1: the selected, the other reference shares the query's
        class; bits 2 and 3: its group.

    Raises:
        SimilarityError: the table of images lacks some; says how many and the first few.
    """
    rows = _rows_of(trials, images, table)
    winner, loser = trials.comparisons()
    result = np.where(winner >= 0, 0, -1).astype(np.int8)
    class_id = [None if number < 0 else int(number) for number in images.class_id]
    classes = [one if name is None else name for name, one in zip(images.class_name, class_id, strict=True)]
    for bit, names in ((0, classes), (2, images.group_name)):
        codes = _codes(names)[rows]
        shared = codes[trials.references] == codes[trials.query][:, None]
        shared &= (codes[trials.query] >= 0)[:, None] & (trials.references >= 0)
        for shift, position in ((bit, winner), (bit + 1, loser)):
            shares = np.take_along_axis(shared, np.maximum(position, 0).astype(np.intp), axis=1)
            result |= (shares & (position >= 0)).astype(np.int8) << np.int8(shift)
    return result


def _rows_of(trials: Trials, images: Images, table: object) -> NDArray[np.intp]:
    """For each image of the trials its row in the table of images; -1 for one that no trial uses."""
    used = np.union1d(trials.query, trials.references[trials.references >= 0])
    matches = match_ids(trials.images[used], images.image_id)
    if matches.complaint:
        raise SimilarityError(f"{table}: {matches.complaint}")
    rows = np.full(trials.images.size, -1, np.intp)
    rows[used] = matches.rows
    return rows


def _codes(names: Iterable[object]) -> NDArray[np.int64]:
    """A number for each distinct name; -1 for None."""
    number: dict[object, int] = {}
    return np.array([-1 if name is None else number.setdefault(name, len(number)) for name in names], np.int64)
