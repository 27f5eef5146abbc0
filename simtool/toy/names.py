"""Names for toy species after their traits: ``Amber-breasted Gladefinch``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simtool.toy.colors import color_name
from simtool.toy.traits import Bird

__all__ = ["name_species"]


def name_species(families: Sequence[str], birds: Sequence[Bird]) -> tuple[str, ...]:
    """Give each species a unique name after its most conspicuous trait: ``Amber-breasted_Gladefinch``.

    The typical birds of the species are sorted by family, with equal numbers for each family.
    """
    taken: list[str] = []
    for index, bird in enumerate(birds):
        family = families[index * len(families) // len(birds)]
        ranked = [epithet for _, epithet in sorted(_epithets(bird), reverse=True)]
        # A second word distinguishes the rare species with equal epithets.
        ranked += [f"{second}_{first}" for first in ranked for second in ("Lesser", "Greater", "Northern", "Southern")]
        taken.append(next(name for name in (f"{epithet}_{family}" for epithet in ranked) if name not in taken))
    return tuple(taken)


def _epithets(bird: Bird) -> Iterator[tuple[float, str]]:
    """Yield possible epithets of a bird, each with its conspicuousness."""
    for part, ending in (("breast", "breasted"), ("back", "backed"), ("wing", "winged")):
        yield 5.0 * float(np.hypot(*bird.lab(part)[1:])), f"{color_name(bird.lab(part))}-{ending}"
    yield bird.pattern("cap"), f"{color_name(bird.lab('crown'))}-capped"
    yield bird.pattern("bib") * 0.95, f"{color_name(bird.lab('bib'))}-throated"
    yield bird.pattern("mask") * 0.9, "Masked"
    yield bird.pattern("spots") * 0.85, "Spotted"
    yield bird.pattern("streaks") * 0.8, "Streaked"
    yield bird.pattern("wing_bars") * 0.75, "Bar-winged"
    yield bird.pattern("eyebrow") * 0.7, "Browed"
    yield bird.pattern("tail_band") * 0.65, "Band-tailed"
