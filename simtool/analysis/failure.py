"""The error of a report that cannot be computed."""

from __future__ import annotations

from simtool.errors import SimtoolError

__all__ = ["ReportError"]


class ReportError(SimtoolError):
    """The outcomes do not hold the data that a report needs."""
