"""Trials whose choices a known embedding makes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.parameters import Parameters
from simtool.psychological.sample import Sample
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["GROUPS", "planted", "points_of", "trials_of"]

#: The weights of the dimensions of two groups.
GROUPS = np.array([[1.8, 0.4], [0.4, 1.8]])


def points_of(images: int, dimensions: int, seed: int = 0) -> NDArray[np.float64]:
    """Points at distances around 3."""
    return np.random.default_rng(seed).normal(scale=2.2 / dimensions**0.5, size=(images, dimensions))


def trials_of(images: int, counts: Mapping[str, int], seed: int = 1) -> Trials:
    """Random displays, in which the first references are selected; half of them are of each session."""
    rng = np.random.default_rng(seed)
    kinds = [parse_type(text) for text, count in counts.items() for _ in range(count)]
    longest, most = max(kind.n_reference for kind in kinds), max(kind.n_select for kind in kinds)
    query, references = np.full(len(kinds), -1), np.full((len(kinds), longest), -1)
    selected = np.full((len(kinds), most), -1)
    for row, kind in enumerate(kinds):
        shown = rng.permutation(images)
        query[row] = shown[0] if kind.has_query else -1
        references[row, : kind.n_reference] = shown[1 : kind.n_reference + 1]
        selected[row, : kind.n_select] = np.arange(kind.n_select)
    order = rng.permutation(len(kinds))
    return Trials.build(
        [f"image-{number:02}" for number in range(images)],
        [str(kinds[row]) for row in order],
        query[order],
        references[order],
        selected[order],
        session=[f"session-{number}" for number in rng.integers(0, 12, len(kinds))],
    )


def planted(
    points: NDArray[np.float64],
    counts: Mapping[str, int],
    *,
    scales: tuple[float, ...] | None = None,
    groups: NDArray[np.float64] | None = None,
    seed: int = 1,
) -> Sample:
    """Trials in which an embedding chooses.

    Args:
        points: (n, D).
        counts: the number of trials of each type.
        scales: of the types, in the order of ``Trials.types``; 1 for all.
        groups: (groups, D) weights of the dimensions; every group judges the same number of trials.
        seed: of displays and choices.
    """
    trials = trials_of(len(points), counts, seed)
    weights = np.ones((1, points.shape[1])) if groups is None else groups
    names = [f"group-{row % len(weights)}" for row in range(len(trials))]
    sample = Sample.of(trials, None if groups is None else Labels.of(names))
    kernel = np.log([*(scales or np.ones(len(trials.types))), 1e-3])
    embedding = PsychologicalEmbedding(Parameters(points, kernel, np.log(weights)), 1.0, 0.0)
    return embedding.simulated(sample, np.random.default_rng(seed))
