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
        """The same without some images, for example those that cannot be decoded.

        Raises:
            ImageError: nothing is left to train on, or of the images to validate with.
        """
        left = Holdout(*(kept[~np.isin(kept, rows)] for kept in (self.train, self.validation)))
        for before, after, purpose in (
            (self.train, left.train, "train on"),
            (self.validation, left.validation, "validate with"),
        ):
            if len(before) and not len(after):
                raise ImageError(f"no image is left to {purpose}, of {len(before):,}; repair the images first")
        return left


def hold_out(images: Images, rule: str, seed: int) -> Holdout:
    """Divide images by a rule.

    Args:
        images: the table.
        rule: ``split``, to train on the split train and validate with the split validation, or with test where there
            is none; ``study``, to train on train and four fifths of test, and validate with the rest, as the
            original study did; a fraction of each class between 0 and 1; or ``none``, to train on everything.
        seed: of what is drawn.

    Raises:
        ImageError: the rule is unknown, or leaves nothing to train on or to validate with.
    """
    everything = np.arange(len(images))
    held = np.zeros(len(images), bool)
    if rule == "split":
        return _checked(images, rule, *_by_split(images))
    if rule == "study":
        held = _test(images)
        held[_drawn(images, np.flatnonzero(held), _STUDY_SHARE, seed)] = False
    elif rule != "none":
        held[_drawn(images, everything, _fraction(rule), seed)] = True
    return _checked(images, rule, everything[~held], everything[held])


def _checked(images: Images, rule: str, train: NDArray[np.intp], validation: NDArray[np.intp]) -> Holdout:
    divided = Holdout(train, validation)
    if not len(divided.train) or (rule != "none" and not len(divided.validation)):
        raise ImageError(
            f"of {len(images):,} images, validation by {rule} leaves {len(divided.train):,} to train on and "
            f"{len(divided.validation):,} to validate with; --validation none trains on all of them"
        )
    return divided


def _by_split(images: Images) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The images of the split train, and those of validation or, where there are none, of test."""
    _require_splits(images, "split", ("train", "validation", "test"))
    found = "validation" if "validation" in images.split else "test"
    return np.flatnonzero(images.split == "train"), np.flatnonzero(images.split == found)


def _test(images: Images) -> NDArray[np.bool_]:
    """Which images are of the split test, where the others are of train."""
    _require_splits(images, "study", ("train", "test"))
    return np.array(images.split == "test", bool)


def _require_splits(images: Images, rule: str, known: Sequence[str]) -> None:
    if strange := sorted({str(split) for split in images.split if split not in known}):
        raise ImageError(
            f"validation by {rule} needs a split {', '.join(known[:-1])} or {known[-1]} for each image, "
            f"not {', '.join(strange[:3])}; hold out a fraction instead, for example --validation 0.1"
        )


def _fraction(rule: str) -> float:
    try:
        fraction = float(rule)
    except ValueError:
        fraction = np.nan
    if not 0 < fraction < 1:
        raise ImageError(f"validation is split, study, none, or a fraction above 0 and below 1, not {rule}")
    return fraction


def _drawn(images: Images, rows: NDArray[np.intp], share: float, seed: int) -> NDArray[np.intp]:
    """A share of each class among ``rows``, at random, of each class at most all but one.

    Where classes are so small that none of them gives an image, the share is taken of all images: one of some classes.
    """
    generator = np.random.default_rng(seed)
    classes: NDArray[Any] = images.class_id[rows]
    shuffled = [generator.permutation(rows[classes == label]) for label in np.unique(classes)]
    found = [members[: min(round(share * len(members)), len(members) - 1)] for members in shuffled]
    if not any(map(len, found)):
        firsts = np.array([members[0] for members in shuffled if len(members) > 1], np.intp)
        found = [generator.permutation(firsts)[: max(round(share * len(rows)), 1)]]
    return np.sort(np.concatenate([np.empty(0, np.intp), *found]))
