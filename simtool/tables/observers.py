"""Origin of judgments: people or a simulation."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Observers"]


class Observers(StrEnum):
    """The observers of a table of trials; its metadata state them under ``observers``."""

    HUMAN = "human"
    SIMULATED = "simulated"
