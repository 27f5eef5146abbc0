"""The order of the rows of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from simtool.analysis.controls import families
from simtool.analysis.metrics import METRICS, Order
from simtool.analysis.report import Row
from simtool.analysis.strata import Stratum
from simtool.tables.outcomes import Outcomes

__all__ = ["RowOrder", "by_size"]

#: Tuples that compare as the rows do.
_Key: TypeAlias = tuple[Any, ...]


def by_size(stratum: Stratum) -> tuple[object, ...]:
    """A key that orders strata: pooled strata first, then types with many references first."""
    return (-stratum.trial_type.n_reference, stratum.name) if stratum.trial_type else ()


class RowOrder:
    """Orders rows by stratum (:func:`by_size`), by metric, and by accuracy, name or place.

    Models that share controls are together, at the place of the first of them. Their controls follow. In the order of
    families, the models of a family are together, at the place of the most accurate of them.

    Args:
        strata: of the rows.
        outcomes: of each model and distance on all of its trials.
        given: models and distances in the order of the user.
        order: of the rows of one metric in one stratum.
    """

    def __init__(
        self, strata: Iterable[Stratum], outcomes: Sequence[Outcomes], given: Sequence[Outcomes], order: Order
    ) -> None:
        self._order = order
        self._stratum = {each.name: at for at, each in enumerate(sorted(strata, key=by_size))}
        self._metric = {name: at for at, name in enumerate(METRICS)}
        self._given = {(each.model, each.distance): at for at, each in reversed(list(enumerate(given)))}
        members = (
            (number, outcomes[at])
            for number, family in enumerate(families(outcomes))
            for at in (*family.models, *family.controls)
        )
        self._family = {(each.model, each.distance): number for number, each in members}

    def sorted(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The rows in this order."""
        first = self._first(rows)
        families = self._first_of_families(rows) if self._order is Order.FAMILY else {}

        def key(row: Row) -> _Key:
            own, block = self._key(row), self._block(row)
            whole = families.get((*block, row.family), ())
            return block, whole, first.get(self._kin(row), own), row.untrained is not None, own

        return tuple(sorted(rows, key=key))

    def _first(self, rows: Iterable[Row]) -> dict[_Key, _Key]:
        """The least key of the models of each family in each block."""
        found: dict[_Key, _Key] = {}
        for row in rows:
            if row.untrained is None and (row.model, row.distance) in self._family:
                kin, own = self._kin(row), self._key(row)
                found[kin] = min(own, found.get(kin, own))
        return found

    def _first_of_families(self, rows: Iterable[Row]) -> dict[_Key, _Key]:
        """The least key of the rows of each family of models in each block; that of models before that of controls."""
        found: dict[_Key, _Key] = {}
        for row in rows:
            family, own = (*self._block(row), row.family), (row.untrained is not None, *self._key(row))
            found[family] = min(own, found.get(family, own))
        return {family: own[1:] for family, own in found.items()}

    def _kin(self, row: Row) -> _Key:
        """The block and the family of a row."""
        return *self._block(row), self._family.get((row.model, row.distance))

    def _block(self, row: Row) -> tuple[int, int]:
        """The place of the stratum and of the metric of a row."""
        return self._stratum[row.trial_type], self._metric[row.metric.name]

    def _key(self, row: Row) -> _Key:
        """A key that orders the rows of a block without regard to families."""
        place = self._given[row.model, row.distance]
        ways: dict[Order, _Key] = {
            Order.ACCURACY: (-row.estimate, place),
            Order.FAMILY: (-row.estimate, place),
            Order.NAME: (row.model, row.distance),
            Order.GIVEN: (place,),
        }
        return ways[self._order]
