"""Choices with votes: how many people selected each of the images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.tables.carried import Carried
from simtool.text import counted

__all__ = ["Votes", "from_votes", "voted", "whole_votes"]

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
    """Return a trial for each vote: see :func:`voted`."""
    total = len(votes.votes)
    record = Record(
        images=votes.images,
        query=votes.shown[:, 0],
        references=votes.shown[:, 1:],
        selected=np.full((total, 1), -1, np.int16),
        ranked=np.zeros(total, bool),
        trial_id=np.arange(total, dtype=np.int64),
        extra=votes.extra,
    )
    return voted(record, votes.votes, places)


def voted(record: Record, votes: NDArray[np.int64], places: Places) -> Judgments:
    """Return a trial for each vote.

    The first trial of a display has the id of its row in the source; the other trials have ids after the last row.

    Args:
        record: T displays, whose selections are not read.
        votes: (T, N) the number of people who selected each reference.
        places: names of the displays.

    Raises:
        JudgmentsError: no display has votes, or a display is impossible; the message names the first one.
    """
    display, side = np.nonzero(votes)
    if not display.size:
        raise JudgmentsError(f"{places.source}: no votes, so there is nothing to import")
    again = np.flatnonzero(np.diff(display, prepend=-1) == 0)
    taken = record.take(display)
    trial_id = taken.trial_id.copy()
    trial_id[again] = int(record.trial_id.max()) + 1 + np.arange(again.size)
    judgments = assemble(
        replace(
            taken,
            trial_id=trial_id,
            selected=side[:, None].astype(np.int16),
            count=votes[display, side],
        ),
        Places(places.source, lambda row: places.of_row(int(display[row]))),
    )
    if unvoted := len(votes) - np.unique(display).size:
        note = f"left out {counted(unvoted, 'displays')} without votes"
        return replace(judgments, notes=(note,))
    return judgments
