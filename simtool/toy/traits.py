"""Traits of a toy bird: a vector in three blocks, shape, color and pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from simtool.toy.colors import srgb_of_oklab

__all__ = ["BLOCKS", "COLORS", "PATTERNS", "SHAPES", "Bird"]

#: Proportions, each from 0 (least) to 1 (most).
SHAPES = (
    "plumpness",
    "head",
    "neck",
    "beak_length",
    "beak_depth",
    "beak_curve",
    "tail_length",
    "tail_fork",
    "crest",
    "leg_length",
    "wing_length",
)
#: Parts with an individual color in OKLab (Ottosson 2020), a space with perceptual distances.
COLORS = ("crown", "back", "wing", "breast", "bib", "beak")
#: Markings, each from 0 (absent) to 1 (bold).
PATTERNS = ("streaks", "spots", "wing_bars", "mask", "cap", "bib", "eyebrow", "tail_band")

_LAB = tuple(f"{part}_{axis}" for part, axis in product(COLORS, "Lab"))
_NAMES = (*SHAPES, *_LAB, *(f"pattern_{name}" for name in PATTERNS))
_COLUMN = {name: column for column, name in enumerate(_NAMES)}

#: The columns of each block of traits.
BLOCKS: Mapping[str, slice] = {
    "shape": slice(0, len(SHAPES)),
    "color": slice(len(SHAPES), len(SHAPES) + len(_LAB)),
    "pattern": slice(len(SHAPES) + len(_LAB), len(_NAMES)),
}


@dataclass(frozen=True)
class Bird:
    """An individual with its vector of traits."""

    traits: NDArray[np.float64]

    def shape(self, name: str) -> float:
        """Return a proportion, from 0 to 1."""
        return float(self.traits[_COLUMN[name]])

    def pattern(self, name: str) -> float:
        """Return the strength of a marking, from 0 to 1."""
        return float(self.traits[_COLUMN[f"pattern_{name}"]])

    def lab(self, part: str) -> NDArray[np.float64]:
        """Return the color of a part in OKLab, shape (3,)."""
        start = _COLUMN[f"{part}_L"]
        return self.traits[start : start + 3]

    def color(self, part: str) -> NDArray[np.float32]:
        """Return the color of a part in sRGB from 0 to 1, shape (3,)."""
        return srgb_of_oklab(self.lab(part))
