"""The baseline of a report: the model that the others are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simtool.analysis.contrasts import Entry
from simtool.analysis.failure import ReportError
from simtool.errors import likeliest, listed, wrong_usage

__all__ = ["Baseline"]


@dataclass(frozen=True)
class Baseline:
    """The model that the others are compared with.

    Attributes:
        model: its name.
        distance: its distance; None: each model is compared with the baseline that has the same distance.
    """

    model: str
    distance: str | None = None

    @classmethod
    @wrong_usage()
    def named(cls, text: str, entries: Iterable[Entry]) -> Baseline:
        """Find the baseline that ``MODEL`` or ``MODEL:DISTANCE`` names, if names contain ``:``, too.

        A model that is called exactly like this comes first.

        Args:
            text: the name.
            entries: the models and distances of the report.

        Raises:
            ReportError: nothing has this name, or several pairs of model and distance have it.
        """
        known = dict.fromkeys(entries)
        models = dict.fromkeys(model for model, _ in known)
        if text in models:
            return cls(text)
        found = [entry for entry in known if ":".join(entry) == text]
        if len(found) == 1:
            return cls(*found[0])
        if found:
            meanings = " or ".join(f"{model} with {distance}" for model, distance in found)
            raise ReportError(f"the baseline {text} can be {meanings}; score one of them with another name (--name)")
        if distances := [distance for model, distance in known if text.startswith(f"{model}:")]:
            raise ReportError(f"the baseline {text} has no outcomes; the distances of the model: {listed(distances)}")
        near = likeliest(text, [*models, *map(":".join, known)])
        raise ReportError(f"the baseline {text} is not among the models: {listed(models, most=8)}{near}")

    def pairs(self, entries: Sequence[Entry]) -> list[tuple[int, int]]:
        """The positions of each model that is compared, and of its baseline."""
        base = {
            distance: at
            for at, (model, distance) in enumerate(entries)
            if model == self.model and self.distance in (None, distance)
        }
        return [
            (at, base[wanted])
            for at, (_, distance) in enumerate(entries)
            if at not in base.values() and (wanted := self.distance or distance) in base
        ]
