"""What can go wrong with a training."""

from __future__ import annotations

from simtool.errors import SimtoolError

__all__ = ["TrainingError"]


class TrainingError(SimtoolError):
    """A training cannot start, or cannot go on."""
