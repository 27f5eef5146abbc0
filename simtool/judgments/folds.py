"""Folds: the judgments that a model is fitted to, and the held-out judgments that test it.

A scheme names what a fitted model has never seen of the judgments that test it. :func:`trial_folds` holds out whole
trials. :func:`comparison_folds` serves every scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, wrong_usage
from simtool.judgments.classes import classes_of
from simtool.judgments.comparisons import Comparisons
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials
from simtool.text import counted, plural

__all__ = ["Fold", "FoldError", "HoldOut", "comparison_folds", "size_matched", "trial_folds"]

#: scikit-learn takes seeds below this number.
_SEEDS = 1 << 32


class FoldError(SimtoolError):
    """These judgments cannot be held out in this way."""


class HoldOut(StrEnum):
    """The unit that a fold holds out."""

    #: Single comparisons. The other comparisons of the same trial stay in the training, and tell about it: this leaks.
    COMPARISON = "comparison"
    TRIAL = "trial"
    SESSION = "session"
    PARTICIPANT = "participant"
    #: All trials with the same query.
    QUERY = "query"
    #: Images: a comparison tests if all of its three images are held out, and trains if none of them is.
    IMAGE = "image"
    #: Classes of images, in the same way.
    CLASS = "class"

    @property
    def plural(self) -> str:
        """The word for several of them."""
        return {HoldOut.QUERY: "queries", HoldOut.CLASS: "classes"}.get(self, f"{self}s")

    @property
    def keeps_trials_whole(self) -> bool:
        """Whether all comparisons of a trial are on the same side."""
        return self in (HoldOut.TRIAL, HoldOut.SESSION, HoldOut.PARTICIPANT, HoldOut.QUERY)


@dataclass(frozen=True)
class Fold:
    """The N judgments that train and the others that test. Some are in neither part, none is in both.

    Attributes:
        train: (N,) a mask over trials or over comparisons.
        test: (N,) the same.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@wrong_usage()
def trial_folds(trials: Trials, hold_out: HoldOut, count: int = 5, seed: int = 0) -> list[Fold]:
    """Split trials into folds. Each trial tests once.

    Args:
        trials: T trials.
        hold_out: a scheme that keeps trials whole.
        count: the number of folds.
        seed: of the split; another seed gives another split.

    Returns:
        ``count`` folds with masks over trials, (T,).

    Raises:
        FoldError: the scheme splits trials, the trials lack what it needs, or there are too few groups.
    """
    if not hold_out.keeps_trials_whole:
        whole = ", ".join(scheme for scheme in HoldOut if scheme.keeps_trials_whole)
        raise FoldError(f"held-out {hold_out.plural} do not keep trials whole; hold out one of {whole}")
    part = _parts(_group_of_trials(trials, hold_out), hold_out, count, seed)
    return [Fold(part != number, part == number) for number in range(count)]


@wrong_usage()
def comparison_folds(
    trials: Trials, comparisons: Comparisons, hold_out: HoldOut, count: int = 5, seed: int = 0
) -> list[Fold]:
    """Split comparisons into folds.

    With held-out images or classes, a comparison with images on both sides is in neither part of a fold, and many
    comparisons test in no fold: of N folds, about one in N squared tests. Several seeds test more of them.

    Args:
        trials: the trials.
        comparisons: C of their comparisons. Only what occurs in them is split, so the folds of a training part are
            nested folds.
        hold_out: the scheme.
        count: the number of folds.
        seed: of the split; another seed gives another split.

    Returns:
        ``count`` folds with masks over comparisons, (C,); with held-out images or classes, only the folds in which a
        comparison tests.

    Raises:
        FoldError: the trials lack what the scheme needs, there are too few groups, or a part would be empty.
    """
    if hold_out not in (HoldOut.IMAGE, HoldOut.CLASS):
        single = hold_out is HoldOut.COMPARISON
        unit = np.arange(len(comparisons)) if single else _group_of_trials(trials, hold_out)[comparisons.trial]
        fold = _parts(unit, hold_out, count, seed)
        return [Fold(fold != number, fold == number) for number in range(count)]
    group = _group_of_images(trials, comparisons, hold_out)
    used = np.concatenate([comparisons.anchor, comparisons.near, comparisons.far])
    seen = np.zeros(len(trials.images), bool)
    seen[used] = True
    part = np.full(len(trials.images), -1, np.int64)
    part[seen] = _parts(group[seen], hold_out, count, seed)
    sides = [part[side] for side in (comparisons.anchor, comparisons.near, comparisons.far)]
    folds = [_image_fold(sides, number) for number in range(count)]
    if any(not fold.train.any() for fold in folds) or not any(fold.test.any() for fold in folds):
        raise FoldError(
            f"{counted(count, 'folds')} of {hold_out.plural} leave no comparison to train or to test: its three "
            "images must be on one side; use another number of folds, or hold out trials"
        )
    return [fold for fold in folds if fold.test.any()]


def _image_fold(sides: Sequence[NDArray[np.int64]], number: int) -> Fold:
    """The fold that holds out the images of one part; ``sides`` are the parts of anchor, near and far."""
    held = [side == number for side in sides]
    return Fold(~(held[0] | held[1] | held[2]), held[0] & held[1] & held[2])


def size_matched(comparisons: Comparisons, folds: Sequence[Fold], seed: int = 0) -> list[Fold]:
    """Make the control of folds that hold out images: the same tests and sizes, but only trials are held out.

    Held-out images leave fewer comparisons to train with. The control tests the same comparisons with as many training
    comparisons, which come from other trials and may show the same images. A difference between the two is the effect
    of new images, not of less training.

    Args:
        comparisons: C comparisons.
        folds: of one split by images or classes.
        seed: of the split into trials, and of the choice of training comparisons.
    """
    part = _parts(comparisons.trial, HoldOut.TRIAL, max(len(folds), 2), seed)
    tested = np.logical_or.reduce([fold.test for fold in folds])
    rng = np.random.default_rng(seed)
    controls = []
    for number in range(max(len(folds), 2)):
        others = np.flatnonzero(part != number)
        size = int(folds[number % len(folds)].train.sum())
        train = np.zeros(len(comparisons), bool)
        train[rng.choice(others, min(size, others.size), replace=False)] = True
        controls.append(Fold(train, tested & (part == number)))
    return [control for control in controls if control.test.any()]


def _parts(group: NDArray[np.integer[Any]], hold_out: HoldOut, count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each member, (N,); members of a group are in the same fold.

    This is the shuffled ``GroupKFold`` of scikit-learn 1.6, also with older versions: ``KFold`` splits the groups.

    Raises:
        FoldError: there are fewer groups than folds.
    """
    from sklearn.model_selection import KFold

    used = np.bincount(group) > 0
    groups = int(used.sum())
    if count < 2:
        raise FoldError(f"at least 2 folds are needed, not {count}")
    if groups < count:
        some = f"{groups:,} {plural(groups, hold_out.plural, hold_out)}"
        remedy = "use fewer folds, or hold out something else" if groups > 1 else "hold out something else"
        raise FoldError(f"{some} cannot be split into {count} folds; {remedy}")
    of_group = np.empty(groups, np.int64)
    split = KFold(count, shuffle=True, random_state=seed % _SEEDS).split(of_group)
    for number, (_, held) in enumerate(split):
        of_group[held] = number
    part: NDArray[np.int64] = of_group[np.cumsum(used)[group] - 1]
    return part


def _group_of_trials(trials: Trials, hold_out: HoldOut) -> NDArray[np.integer[Any]]:
    """The group of each trial, (T,).

    Raises:
        FoldError: a trial has none.
    """
    if hold_out is HoldOut.TRIAL:
        return np.arange(len(trials))
    if hold_out is HoldOut.QUERY:
        group: NDArray[np.integer[Any]] = trials.query
    else:
        group = _named(trials.session if hold_out is HoldOut.SESSION else trials.participant)
    if missing := int(np.count_nonzero(group < 0)):
        some = "the trials name" if missing == len(trials) else f"{missing:,} of {counted(len(trials), 'trials')} name"
        raise FoldError(f"{some} no {hold_out}, so {hold_out.plural} cannot be held out; hold out trials or images")
    return group


def _named(column: Labels) -> NDArray[np.int32]:
    """The codes of names, (T,); -1 where a name is null or blank."""
    filled = [bool(name.strip()) for name in column.names.to_pylist()]
    known = np.array([*filled, False])  # the last entry is for null, -1
    return np.where(known[column.code], column.code, np.int32(-1))


def _group_of_images(trials: Trials, comparisons: Comparisons, hold_out: HoldOut) -> NDArray[np.integer[Any]]:
    """The group of each image, (n,).

    Raises:
        FoldError: the class of a compared image is unknown.
    """
    if hold_out is HoldOut.IMAGE:
        return np.arange(len(trials.images))
    classes = classes_of(trials)
    if classes is None:
        raise FoldError("the trials do not state the classes of their images; give a table of images with --images")
    compared = np.unique(np.concatenate([comparisons.anchor, comparisons.near, comparisons.far]))
    if (unknown := compared[classes.code[compared] < 0]).size:
        first = trials.images[unknown[0]]
        raise FoldError(f"the class of {counted(unknown.size, 'images')} is unknown, for example of {first}")
    return classes.code
