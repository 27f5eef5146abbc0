"""Detection of files by content, and messages about files that a command cannot read."""

from __future__ import annotations

from simtool.kinds.expected import Expected, advice, explain, wrong_table
from simtool.kinds.kind import Kind, KindError, Text, What
from simtool.kinds.sniffing import kind_of, kind_of_content, special

__all__ = [
    "Expected",
    "Kind",
    "KindError",
    "Text",
    "What",
    "advice",
    "explain",
    "kind_of",
    "kind_of_content",
    "special",
    "wrong_table",
]
