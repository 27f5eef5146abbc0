"""Model recovery: if people judged by one of the models, would the accuracies name this model?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.validity.displays import Displays, Distances
from simtool.validity.people import Crowd
from simtool.validity.search import where
from simtool.validity.setting import Label
from simtool.validity.share import Share

__all__ = ["COSINE", "Judge", "Learners", "Recovered", "Vectors", "recover", "zero_shot"]

#: From the selections of a simulated study, (t, K) for each type of trials, to the accuracy of each candidate.
Judge: TypeAlias = Callable[[Sequence[NDArray[np.int8]]], Mapping[Label, float]]

#: The distance by which models learn, and by which people judge.
COSINE = "cosine"
#: The range of the sensitivity of people to the distances of a model, relative to their mean.
_SENSITIVITY = (0.01, 1000.0)
#: Studies that are simulated to find the sensitivity.
_PILOTS = 4


class Vectors(StrEnum):
    """The state of the vectors of models."""

    PLAIN = "as they are"
    LEARNED = "reweighted"


@dataclass(frozen=True)
class Recovered:
    """How often a model wins if people judge by it.

    Attributes:
        model: label of the embeddings that people judge by.
        distance: name of the distance that people judge by.
        rule: whether people judge by the vectors as they are, or after these have learned from the real judgments.
        candidates: whether the models are compared as they are, or after each has learned from the judgments.
        accuracy: mean accuracy of this model, by its best candidate.
        won: the studies in which a candidate of this model has the highest accuracy, and no other model the same.
        rival: the model that has the highest accuracy in most of the other studies; None if there are none.
        lead: mean accuracy of this model minus that of the best other model; None if there is no other.
    """

    model: str
    distance: str
    rule: Vectors
    candidates: Vectors
    accuracy: float
    won: Share
    rival: str | None
    lead: float | None


class Learners(Protocol):
    """Models that learn from the judgments of a study.

    Attributes:
        displays: of the trials.
        models: the names of the models.
    """

    displays: Displays
    models: Sequence[str]

    def judge(self, selections: Sequence[NDArray[np.int8]]) -> Mapping[Label, float]:
        """The accuracy of each model on trials that were held out when it learned: a :data:`Judge`."""
        ...

    def as_they_are(self, model: str) -> Distances:
        """The cosine distances of the vectors of a model, for each type of trials."""
        ...

    def learned(self, model: str) -> Distances:
        """The cosine distances after a model has learned from all real judgments."""
        ...


def zero_shot(displays: Displays, models: Mapping[Label, Distances]) -> Judge:
    """Judge models as they are, by their distances."""

    def judge(selections: Sequence[NDArray[np.int8]]) -> dict[Label, float]:
        compared = displays.compared(selections)
        return {label: float(displays.credit(compared, own).mean(dtype=np.float64)) for label, own in models.items()}

    return judge


def recover(
    displays: Displays,
    label: Label,
    distances: Distances,
    judge: Judge,
    accuracy: float,
    studies: int,
    seed: int,
    advance: Callable[[int], object] = lambda _: None,
    rule: Vectors = Vectors.PLAIN,
    candidates: Vectors = Vectors.PLAIN,
) -> Recovered:
    """Let people judge by a model in simulated studies, and ask which model has the highest accuracy.

    The images stay the same; the people differ between studies.

    Args:
        displays: of the trials.
        label: the model that people judge by, and its distance.
        distances: of this model.
        judge: computes the accuracies of all candidates.
        accuracy: that this model has on the judgments, as it is: it tells how consistently people choose.
        studies: number of studies.
        seed: of the people and their choices.
        advance: called with 1 after each study.
        rule: see :class:`Recovered`.
        candidates: see :class:`Recovered`.
    """
    people = _Followers(displays, distances, accuracy, seed)
    best: list[dict[str, float]] = []
    for number in range(studies):
        found: dict[str, float] = {}
        for (model, _), value in judge(people.choose(number)).items():
            found[model] = max(value, found.get(model, 0.0))
        best.append(found)
        advance(1)
    own, _ = label
    # Of models with equal accuracies, another one than that of the people counts.
    winners = [max(found, key=lambda name: (found[name], name != own)) for found in best]
    lost = Counter(winner for winner in winners if winner != own).most_common(1)
    leads = [
        found[own] - max(value for name, value in found.items() if name != own) for found in best if len(found) > 1
    ]
    return Recovered(
        *label,
        rule,
        candidates,
        accuracy=float(np.mean([found[own] for found in best])),
        won=Share.of([winner == own for winner in winners]),
        rival=lost[0][0] if lost else None,
        lead=float(np.mean(leads)) if leads else None,
    )


class _Followers:
    """People who judge by the distances of a model, as consistently as an accuracy of this model tells."""

    def __init__(self, displays: Displays, distances: Distances, accuracy: float, seed: int) -> None:
        # A constant that is added to all distances does not change Luce's choices, and the unit does not matter.
        least = min(float(own.min()) for own in distances)
        mean = np.average([own.mean() - least for own in distances], weights=[own.size for own in distances])
        self._distances = [(own - least) / (mean or 1.0) for own in distances]
        self._displays, self._crowd, self._seed = displays, Crowd(displays), seed
        self._sensitivity = where(lambda value: self._accuracy(value) - accuracy, *_SENSITIVITY)

    def choose(self, number: int, sensitivity: float | None = None) -> list[NDArray[np.int8]]:
        """The selections in the study of a number."""
        generator = np.random.default_rng([self._seed, 4, number])
        habits = self._crowd.draw(generator)
        return self._crowd.choose(self._distances, sensitivity or self._sensitivity, habits, generator)

    def _accuracy(self, sensitivity: float) -> float:
        """The mean accuracy of the model on the judgments of people with some sensitivity."""
        found = [
            self._displays.credit(self._displays.compared(self.choose(1 << 20 | pilot, sensitivity)), self._distances)
            for pilot in range(_PILOTS)
        ]
        return float(np.mean(found, dtype=np.float64))
