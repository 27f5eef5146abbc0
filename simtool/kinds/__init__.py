"""What a file is, by its content, and which command takes it. Every reader asks it about what it cannot read."""

from __future__ import annotations

from simtool.kinds.doors import Door, advice, explain
from simtool.kinds.kind import Kind, KindError, Text, What
from simtool.kinds.sniffing import kind_of

__all__ = ["Door", "Kind", "KindError", "Text", "What", "advice", "explain", "kind_of"]
