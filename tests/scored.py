"""Small studies with simulated observers, and models of known quality scored on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.tables.outcomes import Outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials

__all__ = ["latent", "model", "observe", "outcomes_of", "write"]


def latent(rng: np.random.Generator, images: int, dimensions: int = 4) -> NDArray[np.float64]:
    """The position of each image in the psychological space of the observers: (images, dimensions)."""
    return rng.normal(size=(images, dimensions))


def observe(
    rng: np.random.Generator,
    minds: NDArray[np.float64],
    counts: Mapping[str, int],
    participants: int = 8,
    who: str = "person",
    **columns: Any,
) -> Trials:
    """Simulate observers with individual weights who choose by noisy distances: near the query, or far from the others.

    Args:
        rng: of everything random.
        minds: (images, dimensions).
        counts: how many trials of each type, for example {"8-rank-2": 20}; displays may repeat.
        participants: how many; 0 for trials without names.
        who: the beginning of their names.
        columns: other columns of the trials.
    """
    kinds = [parse_type(text) for text, count in counts.items() for _ in range(count)]
    longest, most = max(kind.n_reference for kind in kinds), max(kind.n_select for kind in kinds)
    taste = np.exp(rng.normal(scale=0.4, size=(max(participants, 1), minds.shape[1])))
    judge = rng.integers(0, max(participants, 1), len(kinds))
    query = np.zeros(len(kinds), np.int64)
    references = np.full((len(kinds), longest), -1)
    selected = np.full((len(kinds), most), -1)
    for trial, kind in enumerate(kinds):
        shown = rng.permutation(len(minds))[: kind.n_reference + 1]
        query[trial], others = (shown[0], shown[1:]) if kind.has_query else (-1, shown[1:])
        anchors = shown[:1] if kind.has_query else others
        gaps = (minds[others][:, np.newaxis] - minds[anchors]) ** 2 * taste[judge[trial]]
        away = np.sqrt(gaps.sum(axis=2)).sum(axis=1) * (1 if kind.has_query else -1)
        references[trial, : kind.n_reference] = others
        selected[trial, : kind.n_select] = np.argsort(away + rng.gumbel(size=len(others)))[: kind.n_select]
    if participants:
        columns.setdefault("participant", [f"{who}-{number}" for number in judge])
    names = [f"image-{number:03}" for number in rng.permutation(len(minds))]
    return Trials.build(names, [str(kind) for kind in kinds], query, references, selected, **columns)


def model(rng: np.random.Generator, minds: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """The distances (images, images) of a model that equals the space of the observers plus noise."""
    points = minds + rng.normal(scale=noise, size=minds.shape) if np.isfinite(noise) else rng.normal(size=minds.shape)
    distances: NDArray[np.float64] = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    return distances


def outcomes_of(name: str, distance: str, trials: Trials, distances: NDArray[np.float64]) -> Outcomes:
    """Score trials by known distances.

    Args:
        name: of the model.
        distance: the name of the distance.
        trials: T trials.
        distances: (images, images).
    """
    found = Comparisons.of(trials)
    gap = distances[found.anchor, found.far] - distances[found.anchor, found.near]
    return Outcomes(name, distance, trials, ((np.sign(gap) + 1) / 2).astype(np.float32))


def write(path: Path, *outcomes: Outcomes) -> Path:
    """Write a table of outcomes."""
    write_outcomes(path, outcomes[0].trials, outcomes, Provenance.of(("simtool", "score"), []))
    return path
