"""The difficulty of comparisons: how far people agree, or how different two distances are in a space of images.

A difficulty depends on the display, and not on the judgment that is scored. It serves to compare types of trials at
equal difficulty.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.intervals import Difference, Interval
from simtool.analysis.inference.observations import clusters_of
from simtool.analysis.strata import ALL
from simtool.judgments.comparisons import Comparisons
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.trials import Trials

__all__ = ["Agreement", "Curve", "Difficulty", "Gap", "Grade", "Judges", "Measure", "Ratio", "judges"]

#: The number of grades of a continuous difficulty, and the least number of comparisons of a type in each.
GRADES, LEAST = 10, 20
#: Numbers of vectors that are in memory at once.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Grade:
    """Comparisons of about the same difficulty.

    Attributes:
        label: its name.
        rows: (n,) ascending positions of comparisons.
        weight: (n,) the degree to which each belongs to the grade, above 0; None if all belong to it entirely.
    """

    label: str
    rows: NDArray[np.intp]
    weight: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Judges:
    """The participants (or sessions) who judged two types of trials.

    Attributes:
        called: ``participants`` or ``sessions``; None if the trials do not name any.
        first: a type of trials.
        second: another type.
        counts: how many judged the first type, and how many the second.
        shared: how many judged both.
    """

    called: str | None
    first: str
    second: str
    counts: tuple[int, int]
    shared: int


@dataclass(frozen=True)
class Curve:
    """The accuracy of a model on one type of trials, as a function of difficulty.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        trial_type: the type.
        grades: the accuracy in each grade; None in a grade without comparisons.
        comparisons: the number of comparisons in each grade.
        plain: the accuracy in all grades together.
        equal: the same if each grade had the share that it has on average over the types; None for a single type.
    """

    model: str
    distance: str
    trial_type: str
    grades: tuple[Interval | None, ...]
    comparisons: tuple[int, ...]
    plain: Interval
    equal: Interval | None


@dataclass(frozen=True)
class Gap:
    """The accuracy of a model on one type of trials minus that on another type.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        first: the type.
        second: the type whose accuracy is subtracted.
        plain: the difference on all graded comparisons.
        equal: the difference at equal difficulty.
    """

    model: str
    distance: str
    first: str
    second: str
    plain: Difference
    equal: Difference


@dataclass(frozen=True)
class Difficulty:
    """Accuracies as a function of difficulty.

    Attributes:
        measure: the name of the measure of difficulty.
        explanation: the measure in a sentence.
        grades: the names of the grades, from easy to hard.
        curves: the accuracies of each type and model.
        gaps: the differences of every two types.
        judges: who judged every two types.
    """

    measure: str
    explanation: str
    grades: tuple[str, ...]
    curves: tuple[Curve, ...]
    gaps: tuple[Gap, ...]
    judges: tuple[Judges, ...]

    def of_type(self, trial_type: str) -> Difficulty:
        """The part about one trial type, which has no differences of types; everything for ``all``."""
        if trial_type == ALL:
            return self
        curves = tuple(curve for curve in self.curves if curve.trial_type == trial_type)
        return replace(self, curves=curves, gaps=(), judges=())


class Measure(ABC):
    """A measure of difficulty.

    Attributes:
        name: shown in reports.
        explanation: its definition, in a sentence.
    """

    name: str
    explanation: str

    @abstractmethod
    def grades(self, trials: Trials, comparisons: Comparisons) -> list[Grade]:
        """Divide comparisons by their difficulty, from easy to hard. Those without a known difficulty are left out."""


class Agreement(Measure):
    """Whether two other judgments of the same comparison agree with each other.

    The scored judgment is held out: if it took part, a grade would select judgments that agree with the majority, which
    models predict more often. Two others are drawn without replacement from all other judgments of the comparison. A
    judgment therefore belongs to the grade "agree" with the probability that two drawn judgments agree, and to
    "disagree" with the rest. Two are drawn for each comparison, however often it was judged, because more judgments
    would measure the difficulty better, so that the same grade would not mean the same.
    """

    name = "agreement"
    explanation = (
        "Difficulty: whether two other judgments of the same comparison agree. The scored judgment is not one of them. "
        "Comparisons that were judged at least three times count."
    )

    def grades(self, trials: Trials, comparisons: Comparisons) -> list[Grade]:  # noqa: ARG002 - images are enough
        """See :meth:`Measure.grades`."""
        agree = _agreement_of_others(comparisons)
        found = [("two others agree", agree), ("two others disagree", 1 - agree)]
        rows = [np.flatnonzero(weight > 0) for _, weight in found]
        return [Grade(label, own, weight[own]) for (label, weight), own in zip(found, rows, strict=True) if own.size]


def _agreement_of_others(comparisons: Comparisons) -> NDArray[np.float64]:
    """The probability that two other judgments of the same comparison agree, (C,); NaN with fewer than two others."""
    first, last = (side(comparisons.near, comparisons.far).astype(np.int64) for side in (np.minimum, np.maximum))
    count = 1 + int(max(comparisons.anchor.max(initial=0), last.max(initial=0)))
    code = np.unique((comparisons.anchor.astype(np.int64) * count + first) * count + last, return_inverse=True)[1]
    is_first = comparisons.near < comparisons.far
    votes = np.bincount(code, is_first)[code] - is_first
    others = np.bincount(code)[code] - 1.0
    against = others - votes
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = (votes * (votes - 1) + against * (against - 1)) / (others * (others - 1))
    return np.where(others > 1, agree, np.nan)


class Ratio(Measure):
    """The smaller divided by the larger of the two Euclidean distances from the anchor: 0 is easy, 1 is hard.

    Args:
        table: vectors of the images, best of a psychological embedding.

    Raises:
        TableError: the vectors are made for another distance.
    """

    def __init__(self, table: EmbeddingTable) -> None:
        table.check_euclidean("--difficulty compares")
        self._table = table
        self.name = f"distance ratio in {table.info.name}"
        self.explanation = (
            f"Difficulty: of the two Euclidean distances from the anchor in {table.info.name}, the smaller divided by "
            "the larger. Grades hold equal shares, if each type of trials counts the same."
        )

    def grades(self, trials: Trials, comparisons: Comparisons) -> list[Grade]:
        """See :meth:`Measure.grades`.

        Raises:
            TableError: the table lacks an image that is compared.
        """
        shown = np.unique(np.concatenate([comparisons.anchor, comparisons.near, comparisons.far]))
        vectors = self._table.read(self._table.rows_of(trials.images[shown]), np.float64)
        sides = [np.searchsorted(shown, side) for side in (comparisons.anchor, comparisons.near, comparisons.far)]
        return _quantiles(_ratio(vectors, *sides), trials.type_index[comparisons.trial])


def _ratio(
    vectors: NDArray[np.float64], anchor: NDArray[np.intp], one: NDArray[np.intp], other: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The smaller distance from the anchor divided by the larger one, (C,); 1 if both are 0."""
    count = len(vectors)
    low = np.concatenate([np.minimum(anchor, one), np.minimum(anchor, other)]).astype(np.int64)
    high = np.concatenate([np.maximum(anchor, one), np.maximum(anchor, other)])
    pairs, place = np.unique(low * count + high, return_inverse=True)
    squares = np.empty(len(pairs))
    step = max(1, _BLOCK // max(vectors.shape[1], 1))
    for start in range(0, len(pairs), step):
        left, right = np.divmod(pairs[start : start + step], count)
        gap = vectors[left] - vectors[right]
        squares[start : start + step] = np.einsum("ij,ij->i", gap, gap)
    distance = np.sqrt(squares)[place].reshape(2, -1)
    smaller, larger = distance.min(axis=0), distance.max(axis=0)
    ratio = np.ones(len(anchor))
    np.divide(smaller, larger, out=ratio, where=larger > 0)
    return ratio


def _quantiles(difficulty: NDArray[np.float64], kind: NDArray[np.integer]) -> list[Grade]:
    """Divide comparisons, (C,), at quantiles of their difficulty, in which each kind has the same weight."""
    sizes = np.bincount(kind)
    count = int(np.clip(sizes[sizes > 0].min() // LEAST, 1, GRADES))
    order = np.argsort(difficulty, kind="stable")
    reached = np.cumsum(1 / sizes[kind[order]])
    place = np.searchsorted(reached / reached[-1], np.arange(1, count) / count)
    edges = np.unique(difficulty[order][place])
    grade = np.searchsorted(edges, difficulty, side="right")
    ends = [0.0, *edges.tolist(), max(1.0, float(difficulty.max(initial=1)))]
    labels = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(ends)]
    rows = [np.flatnonzero(grade == at) for at in range(len(labels))]
    return [Grade(label, own) for label, own in zip(labels, rows, strict=True) if own.size]


def judges(trials: Trials, kinds: Sequence[int]) -> list[Judges]:
    """The participants, or else sessions, who judged every two of some types (positions in ``Trials.types``)."""
    clusters = clusters_of(trials)
    named = clusters.name != "trials"
    who = {kind: np.unique(clusters.code[(trials.type_index == kind) & (clusters.code >= 0)]) for kind in kinds}
    found = []
    for first, second in combinations(kinds, 2):
        counts = (who[first].size, who[second].size) if named else (0, 0)
        shared = np.intersect1d(who[first], who[second]).size if named else 0
        called = clusters.name if named else None
        found.append(Judges(called, str(trials.types[first]), str(trials.types[second]), counts, shared))
    return found
