"""The table of designs. A new design is one module and one entry here."""

from __future__ import annotations

import re

from simtool.designs.choose import Choose
from simtool.designs.odd import Odd
from simtool.designs.rank import Rank
from simtool.designs.trial_type import DesignError, TrialType
from simtool.errors import clipped

__all__ = ["DESIGNS", "parse_type"]

#: Every design by its word.
DESIGNS: dict[str, type[TrialType]] = {design.word: design for design in (Rank, Choose, Odd)}


def parse_type(text: str) -> TrialType:
    """Read a trial type such as ``8-rank-2`` or ``2-choose-1``.

    Raises:
        DesignError: the text names no design, or sizes that the design does not have.
    """
    match = re.fullmatch(r"([0-9]{1,3})-([a-z]+)-([0-9]{1,3})", text)
    if match is None or match[2] not in DESIGNS:
        known = ", ".join(f"N-{word}-{design.selections}" for word, design in DESIGNS.items())
        raise DesignError(f"trial type {clipped(text)!r} is unknown; known are {known} (for example 8-rank-2)")
    return DESIGNS[match[2]](int(match[1]), int(match[3]))
