"""What can be wrong with a model."""

from __future__ import annotations

from simtool.errors import SimtoolError

__all__ = ["ModelError"]


class ModelError(SimtoolError):
    """A model cannot be fitted or loaded, or cannot do what is asked of it."""
