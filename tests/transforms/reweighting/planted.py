"""Judgments of simulated people whose similarity of images is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.tables.trials import Trials

__all__ = ["IMAGES", "noise", "planted", "vectors"]

IMAGES = [f"image {number:02}" for number in range(40)]
Array = NDArray[np.float64]


def vectors(dimension: int = 6, seed: int = 0, images: int = len(IMAGES)) -> Array:
    return np.random.default_rng(seed).standard_normal((images, dimension))


def planted(similarity: Array, count: int = 4000, seed: int = 0) -> Trials:
    """Trials of two references; the nearer one is chosen with the probability of Luce's choice.

    Args:
        similarity: (n, n) from query to reference.
        count: of trials.
        seed: of the images and of the choices.
    """
    rng = np.random.default_rng(seed)
    shown = np.array([rng.permutation(len(similarity))[:3] for _ in range(count)])
    query, first, second = shown.T
    chance = 1 / (1 + np.exp(similarity[query, second] - similarity[query, first]))
    chosen = (rng.random(count) > chance).astype(np.int8)
    return Trials.build(IMAGES[: len(similarity)], ["2-choose-1"] * count, query, shown[:, 1:], chosen[:, None])


def noise(count: int = 300, seed: int = 0) -> Trials:
    """Trials 8-rank-2 of people who select at random."""
    rng = np.random.default_rng(seed)
    shown = np.array([rng.permutation(len(IMAGES))[:9] for _ in range(count)])
    chosen = np.array([rng.permutation(8)[:2] for _ in range(count)])
    return Trials.build(IMAGES, ["8-rank-2"] * count, shown[:, 0], shown[:, 1:], chosen)
