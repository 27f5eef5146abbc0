"""Which images a network is trained on, and which it is validated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.images.decoding import ImageError
from simtool.tables.images import Images

__all__ = ["Holdout", "hold_out"]

#: The share of the test split that the original study trained on beside the training split.
_STUDY_SHARE = 0.8


@dataclass(frozen=True)
class Holdout:
    """Positions of images in their table, in its order.

    Attributes:
        train: (n,) to train on.
        validation: (m,) to validate with; none of them is among the others.
    """

    train: NDArray[np.intp]
    validation: NDArray[np.intp]

    def without(self, rows: Sequence[int]) -> Holdout:
        """The same without some images, which cannot be decoded, say."""
        return Holdout(*(kept[~np.isin(kept, rows)] for kept in (self.train, self.validation)))


def hold_out(images: Images, rule: str, seed: int) -> Holdout:
    """Divide images by a rule.

    Args:
        images: the table.
        rule: ``split``, to train on the split train and validate with test; ``study``, to train on train and four
            fifths of test, and validate with the rest, as the original study did; a fraction of each class between 0
            and 1; or ``none``, to train on everything.
        seed: of what is drawn.

    Raises:
        ImageError: the rule is unknown, or leaves nothing to train on or to validate with.
    """
    everything = np.arange(len(images))
    if rule == "none":
        held = np.zeros(len(images), bool)
    elif rule in ("split", "study"):
        held = _split(images, rule)
        if rule == "study":
            held[_drawn(images, np.flatnonzero(held), _STUDY_SHARE, seed)] = False
    else:
        held = np.zeros(len(images), bool)
        held[_drawn(images, everything, _fraction(rule), seed)] = True
    divided = Holdout(everything[~held], everything[held])
    if not len(divided.train) or (rule != "none" and not len(divided.validation)):
        raise ImageError(
            f"of {len(images):,} images, validation by {rule} leaves {len(divided.train):,} to train on and "
            f"{len(divided.validation):,} to validate with"
        )
    return divided


def _split(images: Images, rule: str) -> NDArray[np.bool_]:
    """Which images are of the split test."""
    if strange := sorted({str(split) for split in images.split if split not in ("train", "test")}):
        raise ImageError(
            f"validation by {rule} needs a split train or test for each image, not {', '.join(strange[:3])}; "
            f"hold out a fraction instead, for example --validation 0.1"
        )
    return np.array([split == "test" for split in images.split], bool)


def _fraction(rule: str) -> float:
    try:
        fraction = float(rule)
    except ValueError:
        fraction = np.nan
    if not 0 < fraction < 1:
        raise ImageError(f"validation is split, study, none, or a fraction above 0 and below 1, not {rule}")
    return fraction


def _drawn(images: Images, rows: NDArray[np.intp], share: float, seed: int) -> NDArray[np.intp]:
    """A share of each class among ``rows``, at random, of each class at most all but one."""
    generator = np.random.default_rng(seed)
    classes: NDArray[Any] = images.class_id[rows]
    found = []
    for label in np.unique(classes):
        members = generator.permutation(rows[classes == label])
        found.append(members[: min(round(share * len(members)), len(members) - 1)])
    return np.sort(np.concatenate([np.empty(0, np.intp), *found]))
