"""What is wrong with a table."""

from __future__ import annotations

from simtool.errors import SimtoolError

__all__ = ["TableError"]


class TableError(SimtoolError):
    """A table is not what the contract asks for; the message names the file and the first rows at fault."""
