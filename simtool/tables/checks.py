"""The check of a model of choices on choices that it makes itself, as a table of outcomes states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from simtool.tables.parquet import TableError

__all__ = ["Check"]

#: The types of values that are not numbers with a fraction.
_KINDS: Mapping[str, tuple[type, ...]] = {"trial_type": (str,), "trials": (int,)}


@dataclass(frozen=True)
class Check:
    """How well fitted models predict held-out comparisons in trials of one type: those of people, and their own.

    Attributes:
        trial_type: the type of the trials.
        trials: their number.
        accuracy: of the comparisons that people made.
        own: of the comparisons that the model itself makes, if it chooses by its probabilities.
        again: the same, of a model that was fitted to such choices in the other folds.
        loss: minus the mean log-probability of people's selection in a trial, in nats.
    """

    trial_type: str
    trials: int
    accuracy: float
    own: float
    again: float
    loss: float

    @property
    def noise_ceiling(self) -> float:
        """The accuracy that the model could reach if fitting lost nothing: accuracy + (own - again)."""
        return self.accuracy + self.own - self.again

    @classmethod
    def stated(cls, part: Path, entry: object) -> Self:
        """The check in an entry of the metadata of a table.

        Raises:
            TableError: the entry is something else.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = entry.get(field.name) if isinstance(entry, Mapping) else None
            kinds = _KINDS.get(field.name, (int, float))
            if not isinstance(value, kinds) or isinstance(value, bool):
                names = ", ".join(each.name for each in fields(cls))
                raise TableError(
                    f"{part}: a check in the metadata must hold {names}; its {field.name} is {value!r:.50}"
                )
            values[field.name] = value
        return cls(**values)
