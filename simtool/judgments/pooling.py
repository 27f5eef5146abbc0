"""Trials of several tables as one set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.tables.carried import joined
from simtool.tables.files import strings
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["pooled_trials", "shared_judgments"]


def pooled_trials(sets: Sequence[Trials]) -> Trials:
    """Join sets of trials. Equal names are the same image, participant or session; trials get new ids.

    Other columns are kept (:func:`~simtool.tables.carried.joined`). A set that lacks a column has nulls in it.
    """
    if len(sets) == 1:
        return sets[0]
    known = Labels.of([name for trials in sets for name in trials.images])
    ends = np.cumsum([len(trials.images) for trials in sets])
    coded = [(np.append(code, -1), each) for code, each in zip(np.split(known.code, ends), sets, strict=False)]
    return Trials.build(
        images=strings(known.names),
        trial_type=Labels.concatenated(
            [Labels(pa.array(map(str, each.types), pa.string()), each.type_index.astype(np.int32)) for each in sets]
        ).used(),
        query=np.concatenate([code[each.query] for code, each in coded]),
        references=_stacked([code[each.references] for code, each in coded]),
        selected=_stacked([each.selected for each in sets]),
        participant=Labels.concatenated([each.participant for each in sets]),
        session=Labels.concatenated([each.session for each in sets]),
        weight=np.concatenate([each.weight for each in sets]),
        response_ms=np.concatenate([each.response_ms for each in sets]),
        extra=joined([(each.extra, len(each)) for each in sets]),
    )


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one below the other, with -1 after the end of shorter rows."""
    longest = max(array.shape[1] for array in arrays)
    return np.concatenate([np.pad(each, ((0, 0), (0, longest - each.shape[1])), constant_values=-1) for each in arrays])


def shared_judgments(sets: Sequence[Trials]) -> int:
    """The number of judgments that several sets contain: the same named participant, session, images and choice."""
    if len(sets) < 2:
        return 0
    counts = Counter(judgment for trials in sets for judgment in set(_judgments(trials)))
    return sum(count > 1 for count in counts.values())


def _judgments(trials: Trials) -> Iterator[tuple[object, ...]]:
    """The judgments of named participants, without the ids of trials."""
    names = np.array([*trials.images, None], object)
    for row, (participant, session) in enumerate(zip(trials.participant, trials.session, strict=True)):
        if participant is not None:
            shown = (names[trials.query[row]], *names[trials.references[row]])
            yield participant, session, shown, tuple(trials.selected[row].tolist())
