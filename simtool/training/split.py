"""The training/validation split of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import wrong_usage
from simtool.pillow import ImageError
from simtool.tables.images import Images

__all__ = ["Split", "split_images"]

#: The splits that rules can use.
_SPLITS = {"split": ("train", "validation", "test"), "study": ("train", "test")}
#: The share of the test images that the original study used for training, in addition to the training images.
_STUDY_SHARE = 0.8


@dataclass(frozen=True)
class Split:
    """A training/validation split: rows of a table of images, in ascending order.

    Attributes:
        train: (n,) rows for training.
        validation: (m,) rows for validation; none of them is in ``train``.
    """

    train: NDArray[np.intp]
    validation: NDArray[np.intp]

    def without(self, rows: Sequence[int]) -> Split:
        """Remove some images, for example images that cannot be decoded.

        Raises:
            ImageError: no training image or no validation image is left.
        """
        left = Split(*(kept[~np.isin(kept, rows)] for kept in (self.train, self.validation)))
        for before, after, purpose in (
            (self.train, left.train, "training"),
            (self.validation, left.validation, "validation"),
        ):
            if len(before) and not len(after):
                raise ImageError(f"none of {len(before):,} images is left for {purpose}; repair the images first")
        return left


def split_images(images: Images, rule: str, seed: int) -> Split:
    """Split images into training and validation images.

    Args:
        images: the table.
        rule: ``split``: the split train is for training, the split validation is for validation, or the split test if
            the table has no split validation. ``study``: train and four fifths of test are for training, the rest
            is for validation, as in the original study. A fraction between 0 and 1: this fraction of each class is for
            validation. ``none``: all images are for training.
        seed: of the random choice.

    Raises:
        ImageError: the rule is unknown, or leaves no image for training or for validation.
    """
    if rule in _SPLITS:
        _require_splits(images, rule, _SPLITS[rule])
    kept, held = np.ones(len(images), bool), np.zeros(len(images), bool)
    if rule == "split":
        kept = np.array(images.split == "train", bool)
        held = np.array(images.split == ("validation" if "validation" in images.split else "test"), bool)
    elif rule == "study":
        held = np.array(images.split == "test", bool)
        held[_drawn(images, np.flatnonzero(held), _STUDY_SHARE, seed)] = False
    elif rule != "none":
        held[_drawn(images, np.arange(len(images)), _fraction(rule), seed)] = True
    split = Split(np.flatnonzero(kept & ~held), np.flatnonzero(held))
    if not len(split.train) or (rule != "none" and not len(split.validation)):
        raise ImageError(
            f"of {len(images):,} images, --validation {rule} leaves {len(split.train):,} for training and "
            f"{len(split.validation):,} for validation; --validation none uses all of them for training"
        )
    return split


@wrong_usage()
def _require_splits(images: Images, rule: str, known: Sequence[str]) -> None:
    if unknown := sorted({split or "no split" for split in images.split if split not in known}):
        raise ImageError(
            f"--validation {rule} needs the split {', '.join(known[:-1])} or {known[-1]} for each image, "
            f"but some have {', '.join(unknown[:3])}; use a fraction instead, for example --validation 0.1"
        )


@wrong_usage()
def _fraction(rule: str) -> float:
    try:
        fraction = float(rule)
    except ValueError:
        fraction = np.nan
    if not 0 < fraction < 1:
        raise ImageError(f"--validation must be split, study, none, or a fraction above 0 and below 1, not {rule}")
    return fraction


def _drawn(images: Images, rows: NDArray[np.intp], share: float, seed: int) -> NDArray[np.intp]:
    """A random share of each class among ``rows``; at least one image of each class is left.

    If all classes are so small that this gives no image, the share is taken of all images, at most one of each class.
    """
    generator = np.random.default_rng(seed)
    classes: NDArray[Any] = images.class_id[rows]
    shuffled = [generator.permutation(rows[classes == label]) for label in np.unique(classes)]
    found = [members[: min(round(share * len(members)), len(members) - 1)] for members in shuffled]
    if not any(map(len, found)):
        firsts = np.array([members[0] for members in shuffled if len(members) > 1], np.intp)
        found = [generator.permutation(firsts)[: max(round(share * len(rows)), 1)]]
    return np.sort(np.concatenate([np.empty(0, np.intp), *found]))
