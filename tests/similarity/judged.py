"""Vectors of several kinds, trials on them, and what exact arithmetic says about both."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.similarity.pairs import Pairs
from simtool.tables.trials import Trials

__all__ = ["KINDS", "all_pairs", "exact_credits", "exact_distance", "some_trials", "some_vectors"]

#: Gaussian; with a common mean a thousand times the spread; rectified; small integers; few distinct rows; one-hot.
KINDS = ("gaussian", "pixels", "relu", "integers", "duplicates", "one-hot")


def some_vectors(kind: str, count: int = 40, dimension: int = 24, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (count, dimension), none of them zero."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, dimension)).astype(np.float32)
    if kind == "pixels":
        return vectors + np.float32(1000)
    if kind == "relu":
        return np.maximum(vectors, 0)
    if kind == "integers":
        return rng.integers(0, 2, (count, dimension)).astype(np.float32) + np.eye(count, dimension, dtype=np.float32)
    if kind == "duplicates":
        return vectors[rng.integers(0, 6, count)]
    if kind == "one-hot":
        return np.eye(dimension, dtype=np.float32)[rng.integers(0, 8, count)]
    return vectors


def some_trials(count: int, images: int = 40, seed: int = 0) -> Trials:
    """Trials of four types, with the answers at random places."""
    rng = np.random.default_rng(seed)
    kinds = [(2, 1, "2-choose-1"), (8, 2, "8-rank-2"), (5, 2, "5-choose-2"), (3, 1, "3-rank-1")]
    types = [kinds[trial % 4] for trial in range(count)]
    references, selected = np.full((count, 8), -1), np.full((count, 2), -1)
    query = np.empty(count, np.int64)
    for trial, (n_reference, n_select, _) in enumerate(types):
        query[trial], *shown = rng.permutation(images)[: n_reference + 1]
        references[trial, :n_reference] = shown
        selected[trial, :n_select] = rng.permutation(n_reference)[:n_select]
    names = [f"image {number}" for number in range(images)]
    return Trials.build(names, [name for *_, name in types], query, references, selected)


def all_pairs(count: int) -> Pairs:
    """Every pair of so many images."""
    first, second = (side.astype(np.int32) for side in np.triu_indices(count, 1))
    return Pairs.of(first, second, count)[0]


def exact_distance(distance: str, x: NDArray[Any], y: NDArray[Any]) -> Fraction:
    """A rational number that orders pairs as their mse or cosine distance does, without any rounding."""
    left, right = ([Fraction(float(value)) for value in vector] for vector in (x, y))
    if distance == "mse":
        return sum(((one - other) ** 2 for one, other in zip(left, right, strict=True)), Fraction(0))
    product = sum((one * other for one, other in zip(left, right, strict=True)), Fraction(0))
    squares = sum(one * one for one in left) * sum(one * one for one in right)
    return -product * abs(product) / squares


def exact_credits(distance: str, vectors: NDArray[Any], trials: Trials) -> NDArray[np.float64]:
    """The credits of all comparisons, by exact distances."""
    winner, loser = trials.comparisons()
    credits = np.full(winner.shape, np.nan)
    known: dict[tuple[int, int], Fraction] = {}

    def distance_of(query: int, reference: int) -> Fraction:
        pair = (min(query, reference), max(query, reference))
        if pair not in known:
            known[pair] = exact_distance(distance, vectors[pair[0]], vectors[pair[1]])
        return known[pair]

    for trial, query in enumerate(trials.query):
        for column in np.flatnonzero(winner[trial] >= 0):
            selected = distance_of(int(query), int(trials.references[trial, winner[trial, column]]))
            other = distance_of(int(query), int(trials.references[trial, loser[trial, column]]))
            credits[trial, column] = 0.5 if selected == other else float(selected < other)
    return credits
