"""What a file is, by its content, and which command takes it. Every reader asks it about what it cannot read."""

from __future__ import annotations

from simtool.kinds.doors import Door, advice, explain, wrong_table
from simtool.kinds.kind import Kind, KindError, Text, What
from simtool.kinds.sniffing import kind_of, kind_of_content

__all__ = [
    "Door",
    "Kind",
    "KindError",
    "Text",
    "What",
    "advice",
    "explain",
    "kind_of",
    "kind_of_content",
    "wrong_table",
]
