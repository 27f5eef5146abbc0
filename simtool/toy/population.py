"""The population of toy birds: families, species and individuals.

A family has a build (finch-like, wader-like, ...) and colors. A species is drawn around its family, an individual
around its species. These vectors are the known structure of the toy data: the images show them, and the simulated
observers judge by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.toy.names import name_species
from simtool.toy.traits import BLOCKS, COLORS, PATTERNS, SHAPES, Bird

__all__ = ["BUILDS", "Population", "draw_population"]

#: The build of each family, in the order of SHAPES.
BUILDS: Mapping[str, tuple[float, ...]] = {
    "Gladefinch": (0.60, 0.60, 0.15, 0.22, 0.90, 0.45, 0.40, 0.70, 0.05, 0.25, 0.40),
    "Mossthrush": (0.50, 0.42, 0.35, 0.50, 0.35, 0.40, 0.55, 0.15, 0.05, 0.65, 0.50),
    "Quilljay": (0.42, 0.50, 0.40, 0.50, 0.55, 0.50, 0.85, 0.05, 0.90, 0.45, 0.50),
    "Puffwren": (0.95, 0.75, 0.00, 0.40, 0.12, 0.65, 0.20, 0.05, 0.05, 0.40, 0.15),
    "Stiltpiper": (0.45, 0.30, 0.90, 0.95, 0.15, 0.65, 0.15, 0.10, 0.05, 1.00, 0.60),
    "Forkswallow": (0.25, 0.42, 0.10, 0.15, 0.25, 0.45, 0.90, 1.00, 0.05, 0.05, 1.00),
    "Fenwarbler": (0.28, 0.42, 0.30, 0.35, 0.15, 0.40, 0.50, 0.30, 0.15, 0.50, 0.40),
    "Dellparrot": (0.60, 0.70, 0.10, 0.40, 1.00, 1.00, 0.75, 0.00, 0.45, 0.10, 0.65),
}

#: Mean lightness of each part: most birds are darker above than below.
_LIGHTNESS = (0.44, 0.48, 0.36, 0.76, 0.40, 0.42)
#: Mean of the two hue axes: warm colors, few pinks and violets.
_HUE = (0.01, 0.05)
#: The variability of the color of each part; beaks vary less than plumage.
_LIVELINESS = np.array([1.1, 1.0, 0.9, 1.0, 1.1, 0.6])


@dataclass(frozen=True)
class Population:
    """All individuals and their known structure.

    Attributes:
        traits: (n, P) a vector of traits for each individual, in the blocks of BLOCKS.
        family: (n,) index into ``family_names``.
        species: (n,) index into ``species_names``.
        family_names: the families.
        species_names: the species, sorted by family.
        image_id: (n,) the path of each individual's photograph, ``Family/Species/Species_01.jpg``.
    """

    traits: NDArray[np.float64]
    family: NDArray[np.intp]
    species: NDArray[np.intp]
    family_names: tuple[str, ...]
    species_names: tuple[str, ...]
    image_id: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.traits)

    def bird(self, index: int) -> Bird:
        """Return an individual by its index."""
        return Bird(self.traits[index])


def draw_population(
    seed: int, families: int = 4, species_per_family: int = 4, images_per_species: int = 12
) -> Population:
    """Draw families, species around the families, and individuals around the species; sorted in this order.

    Args:
        seed: the random seed; the same seed gives the same birds.
        families: the number of families, at most the number of BUILDS.
        species_per_family: the number of species in each family.
        images_per_species: the number of individuals in each species; each has one photograph.

    Raises:
        ValueError: a count is below 1, or there are more families than builds.
    """
    if min(families, species_per_family, images_per_species) < 1 or families > len(BUILDS):
        raise ValueError(f"counts must be at least 1, and families at most {len(BUILDS)}")
    rng = np.random.default_rng([seed, 1])
    family_names = _choose_builds(rng, families)
    family_means = np.stack([_FAMILY.around(rng, _prototype(BUILDS[name]), 1)[0] for name in family_names])
    species_means = np.concatenate([_SPECIES.around(rng, mean, species_per_family) for mean in family_means])
    traits = np.concatenate([_INDIVIDUAL.around(rng, mean, images_per_species) for mean in species_means])
    species_names = name_species(family_names, [Bird(mean) for mean in _visible(species_means)])
    species = np.repeat(np.arange(families * species_per_family), images_per_species)
    family = species // species_per_family
    digits = max(2, len(str(images_per_species)))
    image_id = tuple(
        f"{family_names[f]}/{species_names[s]}/{species_names[s]}_{i % images_per_species + 1:0{digits}}.jpg"
        for i, (f, s) in enumerate(zip(family, species, strict=True))
    )
    return Population(_visible(traits), family, species, family_names, species_names, image_id)


def _choose_builds(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Choose a random build, then repeatedly the build that differs most from the chosen builds."""
    names, builds = list(BUILDS), np.array(list(BUILDS.values()))
    chosen = [int(rng.integers(len(names)))]
    while len(chosen) < count:
        nearest = np.linalg.norm(builds[:, None] - builds[chosen], axis=-1).min(axis=1)
        chosen.append(int(np.argmax(nearest)))
    return tuple(names[index] for index in chosen)


@dataclass(frozen=True)
class _Spread:
    """Standard deviations of each block: proportions, lightness, the two hue axes, the logit of a marking."""

    shape: float
    lightness: float
    hue: float
    marking: float

    def around(self, rng: np.random.Generator, mean: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Draw ``count`` vectors around a mean, with markings as logits; shape (count, P)."""
        shape = self.shape * rng.standard_normal((count, len(SHAPES)))
        marking = self.marking * rng.standard_normal((count, len(PATTERNS)))
        # The colors of a bird are correlated: half of their variance is common to all parts.
        free, common = rng.standard_normal((count, len(COLORS), 3)), rng.standard_normal((count, 1, 3))
        color = (self.lightness, self.hue, self.hue) * (free + common) / np.sqrt(2.0) * _LIVELINESS[:, None]
        return np.asarray(mean + np.concatenate([shape, color.reshape(count, -1), marking], axis=1))


_FAMILY = _Spread(shape=0.04, lightness=0.06, hue=0.055, marking=1.2)
_SPECIES = _Spread(shape=0.07, lightness=0.13, hue=0.060, marking=2.8)
_INDIVIDUAL = _Spread(shape=0.02, lightness=0.02, hue=0.008, marking=0.25)


def _prototype(build: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the mean vector of a family: its build, warm colors that are darker above, few markings."""
    color = np.array([(lightness, *_HUE) for lightness in _LIGHTNESS]).ravel()
    return np.concatenate([build, color, np.full(len(PATTERNS), -1.2)])


def _visible(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clip drawn vectors to the visible range; markings become clearly present or absent."""
    seen = vectors.copy()
    seen[:, BLOCKS["shape"]] = np.clip(seen[:, BLOCKS["shape"]], 0.0, 1.0)
    color = seen[:, BLOCKS["color"]].reshape(len(seen), len(COLORS), 3)
    color[..., 0] = np.clip(color[..., 0], 0.13, 0.93)
    # Plumage is rarely pink or violet: red pigments occur with yellow pigments.
    red, yellow = color[..., 1], color[..., 2]
    red[red > 0.0] *= 0.3 + 0.7 * np.clip((yellow[red > 0.0] + 0.04) / 0.10, 0.0, 1.0)
    color[..., 1:] = np.clip(color[..., 1:], -0.17, 0.17)
    seen[:, BLOCKS["color"]] = color.reshape(len(seen), -1)
    seen[:, BLOCKS["pattern"]] = 1.0 / (1.0 + np.exp(-2.0 * seen[:, BLOCKS["pattern"]]))
    return seen
