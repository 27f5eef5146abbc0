"""Errors of models."""

from __future__ import annotations

from simtool.errors import SimtoolError

__all__ = ["ModelError"]


class ModelError(SimtoolError):
    """A model cannot be fitted or loaded, or does not support a request."""
