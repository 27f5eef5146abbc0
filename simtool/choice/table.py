"""The table of choice rules. The rule of a new design is one module and one entry here."""

from __future__ import annotations

from simtool.choice.odd import OddOneOut
from simtool.choice.ranked import Ranked
from simtool.choice.rule import ChoiceError, ChoiceRule
from simtool.choice.unranked import Unranked
from simtool.designs import TrialType

__all__ = ["RULES", "rule_of"]

#: The choice rule of each design, by its word.
RULES: dict[str, type[ChoiceRule]] = {"rank": Ranked, "choose": Unranked, "odd": OddOneOut}


def rule_of(kind: TrialType) -> ChoiceRule:
    """The choice rule of a type of trials.

    Raises:
        ChoiceError: its design has none, or its selections are too large.
    """
    if kind.word not in RULES:
        raise ChoiceError(f"trial type {kind}: its design has no choice rule; leave these trials out")
    return RULES[kind.word](kind)
