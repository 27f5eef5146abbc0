"""Run the examples of a page. ``python -m tests.docs.running`` updates the outputs in the tutorials."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docs.examples import FENCE, ROOT, Block, commands

__all__ = ["SHOWN", "TUTORIALS", "printed", "with_outputs"]

TUTORIALS = sorted((ROOT / "docs").glob("tutorial-*.md"))
#: The language of a block that shows the output of the block before it.
SHOWN = "text"


def with_outputs(page: Path, folder: Path) -> str:
    """The text of a page whose blocks are run in a folder, in order, with the outputs that they print."""
    output = ""

    def block(found: re.Match[str]) -> str:
        nonlocal output
        one = Block(found[1], found[2])
        if one.language == SHOWN:
            return f"```{SHOWN}\n{output}```"
        output = printed(one, folder)
        return found[0]

    return FENCE.sub(block, page.read_text(encoding="utf-8"))


def printed(block: Block, folder: Path) -> str:
    """Run a block of Python or of commands in a folder; other blocks are not run.

    Returns:
        The standard output of its last program, without spaces at the ends of lines.
    """
    output = ""
    for arguments in _programs(block):
        done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        output = done.stdout
    return "".join(f"{line.rstrip()}\n" for line in output.strip().splitlines())


def _programs(block: Block) -> list[list[str]]:
    """The arguments of Python that run a block."""
    if block.language == "python":
        return [["-c", block.text]]
    return [["-m", "simtool", *words] for words in commands(block.text)] if block.language == "bash" else []


if __name__ == "__main__":
    for tutorial in TUTORIALS:
        with tempfile.TemporaryDirectory() as empty:
            tutorial.write_text(with_outputs(tutorial, Path(empty)), encoding="utf-8")
