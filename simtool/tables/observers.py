"""Who gave judgments: people, or a simulation."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Observers"]


class Observers(StrEnum):
    """Whose judgments a table holds, as its metadata states it under ``observers``."""

    HUMAN = "human"
    SIMULATED = "simulated"
