"""Two-alternative choices with votes: how many people chose each of two references."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.tables.carried import Carried, rows_of
from simtool.text import counted

__all__ = ["Votes", "from_votes", "whole_votes"]

#: The largest distance of a product of a share and a number of people from a whole number; shares can be float16.
_ROUNDING = 0.01


@dataclass(frozen=True)
class Votes:
    """D displays of a query and two references, and the votes of people.

    Attributes:
        images: (n,) the ids of all images.
        shown: (D, 3) positions in ``images``: the query, the first reference, the second reference.
        votes: (D, 2) the number of people who chose the first and the second reference.
        extra: other columns to keep; (D,) each.
    """

    images: NDArray[np.object_]
    shown: NDArray[np.integer[Any]]
    votes: NDArray[np.int64]
    extra: Carried


def whole_votes(share: NDArray[np.float64], people: NDArray[np.int64], places: Places) -> NDArray[np.int64]:
    """Return the votes for the second reference, (D,), from its share of the votes, 0 to 1, and the number of votes.

    Raises:
        JudgmentsError: a share is not between 0 and 1, or is not a share of whole votes.
    """
    product = share * people
    votes = np.rint(np.nan_to_num(product))
    fault = ~((share >= 0) & (share <= 1) & (np.abs(product - votes) <= _ROUNDING))
    if fault.any():
        row = int(fault.argmax())
        of = counted(int(people[row]), "votes")
        places.refuse(fault, f"has the share {share[row]:g} of {of}, which is no whole number of votes")
    return votes.astype(np.int64)


def from_votes(votes: Votes, places: Places) -> Judgments:
    """Return a trial for each vote.

    The first trial of a display has the id of its row in the source; the other trials have ids after the last row.

    Raises:
        JudgmentsError: no display has votes, or a display is impossible; the message names the first one.
    """
    display, side = np.nonzero(votes.votes)
    if not display.size:
        raise JudgmentsError(f"{places.source}: no votes, so there is nothing to import")
    others = np.flatnonzero(np.diff(display, prepend=-1) == 0)
    trial_id = display.astype(np.int64)
    trial_id[others] = len(votes.votes) + np.arange(others.size)
    shown = votes.shown[display]
    judgments = assemble(
        Record(
            images=votes.images,
            query=shown[:, 0],
            references=shown[:, 1:],
            selected=side[:, None].astype(np.int16),
            ranked=np.zeros(display.size, bool),
            trial_id=trial_id,
            count=votes.votes[display, side],
            extra=rows_of(votes.extra, display),
        ),
        Places(places.source, lambda row: places.of_row(int(display[row]))),
    )
    if unvoted := len(votes.votes) - np.unique(display).size:
        note = f"left out {counted(unvoted, 'displays')} without votes"
        return replace(judgments, notes=(note,))
    return judgments
