"""The distances between the images that trials show, for models of choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.scoring.all_pairs import unscaled
from simtool.scoring.columns import columns_of
from simtool.scoring.distances import SimilarityError, distance_named
from simtool.scoring.given import values_of
from simtool.scoring.measuring import measure
from simtool.scoring.pairs import Codes, Pairs, look_up
from simtool.scoring.plan import STEP, Plan
from simtool.scoring.rows import RowSums
from simtool.scoring.scoring import room_for_vectors
from simtool.system.threads import in_threads
from simtool.tables.distances import DistanceTable
from simtool.tables.embeddings import EmbeddingTable

__all__ = ["ShownDistances", "shown_distances"]


@dataclass(frozen=True)
class ShownDistances:
    """The distances of the pairs of images that trials compare.

    Attributes:
        plan: of the trials.
        values: (1, numbers) the distance of each pair by its number in the plan; (2, numbers) if the direction counts:
            from the smaller position among the used images, and from the larger.
    """

    plan: Plan
    values: NDArray[np.float64]

    def of_type(self, kind: TrialType, pairs: NDArray[np.intp]) -> NDArray[np.float64]:
        """The distances that the t trials of a type show, (t, M).

        Args:
            kind: the type of the trials.
            pairs: (2, M) places of the images of each pair: positions among the references, -1 for the query. The
                distance is from the first to the second; without a query, it is the mean of both directions.
        """
        trials = self.plan.trials
        rows = trials.of_type(kind)
        shown = np.column_stack([trials.references[rows, : kind.n_reference], trials.query[rows]])  # the query is at -1
        found = np.empty((len(rows), pairs.shape[1]))

        def look(start: int, stop: int) -> None:
            for own, (first, second) in zip(found.T, pairs.T, strict=True):
                ends = shown[start:stop, first], shown[start:stop, second]
                own[start:stop] = self._between(*ends)
                if not kind.has_query and len(self.values) > 1:
                    own[start:stop] = np.nanmean([own[start:stop], self._between(*ends[::-1])], axis=0)

        in_threads(look, len(rows))
        return found

    def gaps(self) -> NDArray[np.float64]:
        """How much farther from the anchor the far image of each comparison is than the near one, (C,)."""
        plan = self.plan
        gap = np.empty(plan.trials.comparisons)

        def look(start: int, stop: int) -> None:
            for step in range(start, stop):
                rows = np.arange(step * STEP, min((step + 1) * STEP, len(plan.trials)))
                found = plan.selections.comparisons(plan.trials, rows)
                near, far = (self._between(found.anchor, end) for end in (found.near, found.far))
                gap[plan.first[step] :][: len(found)] = far - near

        in_threads(look, plan.first.size)
        return gap

    def _between(self, anchor: Codes, other: Codes) -> NDArray[np.float64]:
        """The distances from some images to others, which are positions in ``Trials.images``."""
        left, right = self.plan.display.position[anchor], self.plan.display.position[other]
        number = np.empty(left.size, np.int64)
        look_up(self.plan.numbers, left, right, number)
        return self.values[np.where(left > right, len(self.values) - 1, 0), number]


def shown_distances(
    table: EmbeddingTable | DistanceTable,
    plan: Plan,
    distances: Sequence[str],
    memory: int | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[ShownDistances]:
    """Measure the pairs of images that trials compare; yields one result for each distance, in order.

    The numbers are those of ``score`` in float64. (``score`` decides comparisons by exact arithmetic.)

    Args:
        table: embeddings, or distances as they are.
        plan: of the trials.
        distances: names of distances; a table of distances has one.
        memory: the most bytes of this process; None for half of the free memory.
        advance: called with the number of columns after each block.

    Raises:
        TableError: the table lacks an image that a trial shows, or a vector is faulty.
        SimilarityError: a distance cannot be computed; too little memory.
    """
    names = plan.trials.images[plan.used]
    if isinstance(table, DistanceTable):
        yield ShownDistances(plan, values_of(table, plan, np.array(table.match(names).rows)))
        return
    wanted = [distance_named(name) for name in distances]
    pairs = _all_pairs(plan.used.size) if plan.numbers.dense else plan.pairs
    numbers = pairs.first.astype(np.int64) * plan.used.size + pairs.second if plan.numbers.dense else slice(None)
    with columns_of(table, table.rows_of(names), room_for_vectors(plan, len(distances), memory)) as columns:
        scale = RowSums(columns).scale
        try:
            for distance, found in zip(
                wanted, measure(columns, pairs, wanted, table.info.segments, names, advance), strict=True
            ):
                exact = unscaled(found.value, scale, distance.degree)
                values = np.full((1, plan.used.size**2 if plan.numbers.dense else len(pairs)), np.nan)
                values[0, numbers] = found.value if exact is None else exact
                yield ShownDistances(plan, values)
        except SimilarityError as failure:
            raise SimilarityError(f"{table.path}: {failure}") from failure


def _all_pairs(images: int) -> Pairs:
    """All pairs of images."""
    first, second = (each.astype(np.int32) for each in np.triu_indices(images, 1))
    return Pairs(images, first, second)
