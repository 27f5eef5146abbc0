"""Model recovery if every model learns from the judgments: a linear map of its vectors, tested on held-out trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import HoldOut
from simtool.transforms.reweighting.heldout import Names, held_out
from simtool.transforms.reweighting.learner import Learner, Recipe
from simtool.validity.displays import Displays
from simtool.validity.setting import Label

__all__ = ["RECIPE", "Students"]

Floats: TypeAlias = NDArray[np.float64]

#: A full map of 32 principal components, with one penalty. (A choice of the penalty would take ten times as long.)
RECIPE = Recipe(components=32, penalties=(100.0,))
_FOLDS = 2


class Students:
    """Models that learn from the judgments of a study.

    Args:
        displays: of the trials.
        vectors: (n, D) a vector for each of ``Trials.images``, for each model.
        recipe: what they learn.
        seed: of the folds.

    Attributes:
        displays: of the trials.
        models: the names of the models.
    """

    def __init__(
        self, displays: Displays, vectors: Mapping[str, Floats], recipe: Recipe = RECIPE, seed: int = 0
    ) -> None:
        self.displays = displays
        self.models: Sequence[str] = list(vectors)
        self._vectors, self._recipe, self._seed = vectors, recipe, seed

    def judge(self, selections: Sequence[NDArray[np.int8]]) -> dict[Label, float]:
        """The accuracy of each model on trials that were held out when it learned; see ``recovery.Judge``."""
        trials = self.displays.with_selections(selections)
        found: dict[Label, float] = {}
        for model, vectors in self._vectors.items():
            names = Names(model, f"{model} reweighted", f"{model} control")
            tested = held_out(vectors, trials, self._recipe, HoldOut.TRIAL, names, _FOLDS, seed=self._seed)
            _, learned = tested.outcomes
            found[model, learned.distance] = float(learned.credit.mean(dtype=np.float64))
        return found

    def as_they_are(self, model: str) -> list[Floats]:
        """The cosine distances of the vectors of a model, for each type of trials."""
        return self._cosine(self._vectors[model])

    def learned(self, model: str) -> list[Floats]:
        """The cosine distances after a model has learned from all real judgments."""
        trials, vectors = self.displays.trials, self._vectors[model]
        learner = Learner(vectors, trials, self._recipe, self._seed)
        found = learner.learn(Comparisons.of(trials), HoldOut.TRIAL)
        mapped, _ = found.weighting.apply(found.space.coordinates(vectors))
        return self._cosine(mapped)

    def _cosine(self, vectors: Floats) -> list[Floats]:
        """The cosine distance is half the squared distance of vectors of length 1."""
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [own**2 / 2 for own in self.displays.between(vectors / np.where(length > 0, length, 1.0))]
