"""What can go wrong with a training."""

from __future__ import annotations

from simtool.models.errors import ModelError

__all__ = ["TrainingError"]


class TrainingError(ModelError):
    """A training cannot start, or cannot go on."""
