"""One row for a model that was scored on several experiments: their outcomes, joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["Pool", "pools", "shared_judgments"]


class Pool:
    """The models that were scored on the same sets of trials.

    Attributes:
        outcomes: one for each model and distance; all of them share one ``Trials`` object.
        sets: the sets of trials that it joins.
    """

    def __init__(self, sets: Sequence[Trials]) -> None:
        self.sets = tuple(sets)
        self.outcomes: list[Outcomes] = []
        self._trials = sets[0] if len(sets) == 1 else _joined_trials(sets)

    def add(self, parts: Sequence[Outcomes]) -> None:
        """Join the outcomes of one model and distance, one for each set of trials."""
        self.outcomes.append(parts[0] if len(parts) == 1 else _joined_outcomes(parts, self._trials))


def pools(outcomes: Sequence[Outcomes]) -> list[Pool]:
    """Join the outcomes of each model and distance over the sets of trials that it was scored on.

    Args:
        outcomes: those on the same trials share the ``Trials`` object.
    """
    place = {id(trials): at for at, trials in enumerate(each.trials for each in reversed(outcomes))}
    parts: dict[tuple[str, str], list[Outcomes]] = {}
    for each in outcomes:
        parts.setdefault((each.model, each.distance), []).append(each)
    found: dict[tuple[int, ...], Pool] = {}
    for own in parts.values():
        ordered = sorted(own, key=lambda each: -place[id(each.trials)])
        key = tuple(id(each.trials) for each in ordered)
        if key not in found:
            found[key] = Pool([each.trials for each in ordered])
        found[key].add(ordered)
    return list(found.values())


def shared_judgments(sets: Sequence[Trials]) -> int:
    """How many judgments of named participants are in several sets: the same person, session, images and choice."""
    if len(sets) < 2:
        return 0
    seen: set[tuple[object, ...]] = set()
    shared: set[tuple[object, ...]] = set()
    for trials in sets:
        own = set(_judgments(trials))
        shared |= own & seen
        seen |= own
    return len(shared)


def _judgments(trials: Trials) -> Iterator[tuple[object, ...]]:
    """What tells the judgments of named participants apart, without their number."""
    names = np.array([*trials.images, None], object)
    for row, participant in enumerate(trials.participant):
        if participant is not None:
            shown = (names[trials.query[row]], *names[trials.references[row]])
            yield participant, trials.session[row], shown, tuple(trials.selected[row].tolist())


def _joined_trials(sets: Sequence[Trials]) -> Trials:
    """The trials of several sets. Ids are given again; an image or a participant of the same name is the same one."""
    images = list(dict.fromkeys(name for trials in sets for name in trials.images))
    place = {name: at for at, name in enumerate(images)}
    codes = [np.append(np.fromiter((place[name] for name in each.images), np.intp), -1) for each in sets]
    return Trials.build(
        images=images,
        trial_type=[each.types[at] for each in sets for at in each.type_index],
        query=np.concatenate([code[each.query] for code, each in zip(codes, sets, strict=True)]),
        references=_stacked([code[each.references] for code, each in zip(codes, sets, strict=True)], -1),
        selected=_stacked([each.selected for each in sets], -1),
        participant=np.concatenate([each.participant for each in sets]),
        session=np.concatenate([each.session for each in sets]),
        weight=np.concatenate([each.weight for each in sets]),
    )


def _joined_outcomes(parts: Sequence[Outcomes], trials: Trials) -> Outcomes:
    return Outcomes(
        model=parts[0].model,
        distance=parts[0].distance,
        trials=trials,
        credit=np.concatenate([each.credit for each in parts]),
    )


def _stacked(arrays: Sequence[NDArray[Any]], filling: int) -> NDArray[Any]:
    """Arrays one below the other, their rows filled up to the same length."""
    longest = max(array.shape[1] for array in arrays)
    widened = [np.pad(each, ((0, 0), (0, longest - each.shape[1])), constant_values=filling) for each in arrays]
    return np.concatenate(widened)
