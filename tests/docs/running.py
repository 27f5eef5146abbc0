"""Run the examples of a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.docs.examples import Block, commands

__all__ = ["printed"]


def printed(block: Block, folder: Path) -> str:
    """Run a block of Python or of commands in a folder; other blocks are not run.

    Returns:
        The standard output of its last program.
    """
    output = ""
    for arguments in _programs(block):
        done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        output = done.stdout
    return output


def _programs(block: Block) -> list[list[str]]:
    """The arguments of Python that run a block."""
    if block.language == "python":
        return [["-c", block.text]]
    return [["-m", "simtool", *words] for words in commands(block.text)] if block.language == "bash" else []
