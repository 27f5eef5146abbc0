"""The true preferences of simulated observers, with which estimates from their judgments can be compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simtool.toy.observers import Observer, SimulatedJudgments, known_attributes
from simtool.toy.population import Population

__all__ = ["preferences", "preferences_of"]


def preferences(population: Population, judgments: SimulatedJudgments) -> NDArray[np.float64]:
    """The probability that one of the observers, picked at random, prefers one reference of a trial to another.

    To prefer a reference is to choose it before the other one. With more than two references, an observer's choice
    compares only some of them; the probability is among the choices that compare both.

    Args:
        population: the birds.
        judgments: T judgments of them.

    Returns:
        (T, 8, 8): that the first reference is preferred to the second; NaN on the diagonal and for padding.
    """
    references = judgments.references
    found = np.full((len(judgments), references.shape[1], references.shape[1]), np.nan)
    shown, asked = (references >= 0).sum(axis=1), (judgments.selected >= 0).sum(axis=1)
    attributes = known_attributes(population)
    places = [attributes.weighted(observer.attention) for observer in judgments.observers]
    for n_reference, n_select in sorted(set(zip(shown.tolist(), asked.tolist(), strict=True))):
        rows = np.flatnonzero((shown == n_reference) & (asked == n_select))
        query, others = judgments.query[rows, np.newaxis], references[rows, :n_reference]
        distances = [np.linalg.norm(place[query] - place[others], axis=-1) for place in places]
        found[rows, :n_reference, :n_reference] = preferences_of(judgments.observers, distances, n_select)
    return found


def preferences_of(
    observers: Sequence[Observer], distances: Sequence[NDArray[np.float64]], n_select: int
) -> NDArray[np.float64]:
    """The same in t trials that ask for one or two references, (t, N, N).

    Args:
        observers: the observers.
        distances: (t, N) of the references from the query, as each observer sees them.
        n_select: 1 or 2.
    """
    chosen = np.zeros((*distances[0].shape, distances[0].shape[1]))
    for observer, distance in zip(observers, distances, strict=True):
        appeal = observer.log_similarity(distance)
        similarity = np.exp(appeal - appeal.max(axis=1, keepdims=True))
        chosen += (1 - observer.lapse) * _before(similarity, n_select)
        chosen += observer.lapse * _before(np.ones_like(similarity), n_select)
    compared = chosen + chosen.transpose(0, 2, 1)
    itself = np.eye(compared.shape[1], dtype=bool)
    return np.where(itself, np.nan, chosen / compared)


def _before(similarity: NDArray[np.float64], n_select: int) -> NDArray[np.float64]:
    """The probability of choosing the first of two references, and not the second before it, by Luce's choice rule.

    Args:
        similarity: (t, N).
        n_select: 1 or 2.

    Returns:
        (t, N, N).
    """
    whole = similarity.sum(axis=1, keepdims=True)
    first = similarity / whole
    found = np.repeat(first[:, :, np.newaxis], similarity.shape[1], axis=2)
    if n_select == 2:
        after = first / (whole - similarity)  # each reference is first; divided by the similarity of those that remain
        third = after.sum(axis=1)[:, np.newaxis, np.newaxis] - after[:, :, np.newaxis] - after[:, np.newaxis, :]
        found += similarity[:, :, np.newaxis] * third
    return found
