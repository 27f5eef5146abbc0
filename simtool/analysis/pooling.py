"""Pools: one row for a model that was scored on several experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simtool.judgments.pooling import pooled_trials
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["Pool", "pools"]


@dataclass(frozen=True)
class Pool:
    """The models that were scored on the same sets of trials.

    Attributes:
        sets: the sets of trials.
        outcomes: the outcomes of each model and distance on all their trials.
    """

    sets: tuple[Trials, ...]
    outcomes: tuple[Outcomes, ...]


def pools(outcomes: Sequence[Outcomes]) -> list[Pool]:
    """Join the outcomes of each model and distance over the sets of trials that it was scored on.

    Args:
        outcomes: outcomes on the same trials share the ``Trials`` object.
    """
    place = {id(each.trials): at for at, each in reversed(list(enumerate(outcomes)))}
    models: dict[tuple[str, str], list[Outcomes]] = {}
    for each in outcomes:
        models.setdefault((each.model, each.distance), []).append(each)
    found: dict[tuple[int, ...], list[list[Outcomes]]] = {}
    for parts in models.values():
        parts.sort(key=lambda part: place[id(part.trials)])
        found.setdefault(tuple(id(part.trials) for part in parts), []).append(parts)
    return [_pool(members) for members in found.values()]


def _pool(models: Sequence[Sequence[Outcomes]]) -> Pool:
    """Join the outcomes of models that were scored on the same sets of trials."""
    sets = tuple(part.trials for part in models[0])
    trials = pooled_trials(sets)
    credit = (np.concatenate([part.credit for part in parts]) for parts in models)
    pairs = zip(models, credit, strict=True)
    return Pool(sets, tuple(Outcomes(parts[0].model, parts[0].distance, trials, own) for parts, own in pairs))
