"""Records of two common designs: the odd one of several images, and the nearer one of two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.assembly import Record
from simtool.judgments.shown import Shown

__all__ = ["near_far", "odd_one_out"]


def odd_one_out(shown: Shown, odd: int | NDArray[np.integer[Any]]) -> Record:
    """Odd-one-out judgments.

    Args:
        shown: (T, N) the images.
        odd: the position of the odd one in every row, or (T,) in each row; -1 without an answer.
    """
    count = len(shown.rows)
    return Record(
        images=shown.images,
        query=None,
        references=shown.rows,
        selected=np.broadcast_to(np.asarray(odd, np.int8), count).reshape(count, 1),
        ranked=np.zeros(count, bool),
        trial_id=np.arange(count, dtype=np.int64),
    )


def near_far(shown: Shown, near: int | NDArray[np.integer[Any]] = 0) -> Record:
    """Choices of the nearer of two references.

    Args:
        shown: (T, 3) the query and two references.
        near: the position of the nearer reference, 0 or 1, in every row, or (T,) in each row; -1 without an answer.
    """
    count = len(shown.rows)
    return Record(
        images=shown.images,
        query=shown.rows[:, 0],
        references=shown.rows[:, 1:],
        selected=np.broadcast_to(np.asarray(near, np.int8), count).reshape(count, 1),
        ranked=np.zeros(count, bool),
        trial_id=np.arange(count, dtype=np.int64),
    )
