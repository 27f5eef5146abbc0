"""A fitted psychological embedding: its predictions for trials, and the choices that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.choice import log_probability_of_comparisons
from simtool.choice.rule import Floats
from simtool.judgments.comparisons import Comparisons
from simtool.psychological.displays import Displays
from simtool.psychological.objective import Objective
from simtool.psychological.parameters import Parameters
from simtool.psychological.sample import Sample
from simtool.psychological.similarity import Codes, decay_of_pairs, log_similarity

__all__ = ["PsychologicalEmbedding"]


@dataclass(frozen=True)
class PsychologicalEmbedding:
    """Points of images, and the similarity function that belongs to them.

    Attributes:
        parameters: the points, the scales and the floor of similarity, and the weights of each group.
        exponent: of the distance.
        penalty: the precision of the prior with which the points were fitted.
    """

    parameters: Parameters
    exponent: float
    penalty: float

    def with_points_of(self, other: Parameters) -> PsychologicalEmbedding:
        """Other points and weights of dimensions, with the same scales and floor."""
        return replace(self, parameters=other.with_kernel(self.parameters.kernel))

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.parameters.points.shape[1])

    @property
    def points(self) -> Floats:
        """(n, D) in the unit in which trials of the first type have the scale 1."""
        points: Floats = self.parameters.points * np.exp(self.parameters.kernel[0] / self.exponent)
        return points

    @property
    def scales(self) -> Floats:
        """(types,) of ``points``; the first is 1."""
        scales: Floats = np.exp(self.parameters.kernel[:-1] - self.parameters.kernel[0])
        return scales

    @property
    def floor(self) -> float:
        """The least similarity; that of equal points is greater by 1."""
        return float(np.exp(self.parameters.kernel[-1]))

    def log_probability(self, sample: Sample) -> Floats:
        """The log-probability of the selection of each trial, (T,)."""
        result, displays = np.empty(len(sample)), sample.displays()
        for some, logs in zip(displays, self._log_similarities(displays), strict=True):
            result[some.rows] = some.rule.log_probability(logs, some.selected)
        return result

    def _log_similarities(self, displays: Sequence[Displays]) -> Iterator[Floats]:
        return Objective(displays, self.exponent).log_similarities(self.parameters)

    def judged(self, sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The credit of the comparisons of all trials, in their order, and the probability of each, (C,) both.

        The nearer reference is predicted.
        """
        comparisons = Comparisons.of(sample.trials)
        near, far = (self._decays(sample, comparisons, other) for other in (comparisons.near, comparisons.far))
        credit = np.where(near == far, 0.5, near < far)
        log_floor = float(self.parameters.kernel[-1])
        log_chance, _ = log_probability_of_comparisons(log_similarity(near, log_floor) - log_similarity(far, log_floor))
        return credit.astype(np.float32), np.exp(log_chance).astype(np.float32)

    def _decays(self, sample: Sample, comparisons: Comparisons, other: Codes) -> Floats:
        """Scale x distance ** exponent of each anchor and another image, (C,)."""
        decays, trial = np.empty(len(other)), comparisons.trial
        scale = np.exp(self.parameters.kernel[sample.trials.type_index[trial]])
        for number, weights in enumerate(self.parameters.weights):
            own = sample.group[trial] == number
            decays[own] = decay_of_pairs(
                self.parameters.points, weights, comparisons.anchor[own], other[own], 1.0, self.exponent
            )
        return decays * scale

    def simulated(self, sample: Sample, generator: np.random.Generator) -> Sample:
        """The same displays with choices that the embedding makes."""
        selected, displays = np.full(sample.trials.selected.shape, -1, np.int8), sample.displays()
        for some, logs in zip(displays, self._log_similarities(displays), strict=True):
            drawn = some.rule.draw(logs, generator)
            selected[some.rows, : drawn.shape[1]] = drawn
        return sample.selecting(selected)

    def description(self, kinds: tuple[Any, ...], groups: tuple[str, ...]) -> dict[str, Any]:
        """The similarity function of ``points``, for the metadata of a table."""
        named = {} if len(groups) == 1 else dict(zip(groups, self.parameters.weights.round(6).tolist(), strict=True))
        return {
            "exponent": self.exponent,
            "floor": self.floor,
            "scales": dict(zip(map(str, kinds), self.scales.tolist(), strict=True)),
            "weights": named,
            "penalty": self.penalty,
        }
