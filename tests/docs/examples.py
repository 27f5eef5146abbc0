"""The pages of the project, and the examples in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

#: A block of code: its language, and its text.
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
#: A remark after an example: ``# remark``, or words after a wide gap as in help texts.
_REMARK = re.compile(r"\s+#.*|\s{4,}.*")


@dataclass(frozen=True)
class Block:
    """A block of code in a page: its language, which may be empty, and its text."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every block of code of a page, in order."""
    return blocks_of(page.read_text(encoding="utf-8"))


def blocks_of(text: str) -> list[Block]:
    """Every block of code of the text of a page, in order."""
    return [Block(*found) for found in FENCE.findall(text)]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every ``simtool`` command in a block, without pipes and redirections; a variable becomes 1."""
    joined = re.sub(r"\$\w+", "1", re.sub(r"\\\n\s*", "", text))
    for line in joined.splitlines():
        if match := re.match(r"\s*(?:\$ )?(?:srun )?simtool (.*)", line):
            words = shlex.split(_REMARK.sub("", match[1]))
            end = next((n for n, word in enumerate(words) if word in {"|", ">", "&&"}), len(words))
            yield words[:end]
