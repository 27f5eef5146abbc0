"""A subject of a benchmark in a process of its own, which is asked line by line and answers in JSON.

What runs in the process needs nothing but Python's own library from here, so that peers can have other environments.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Subject", "memory", "say", "serve"]


class Subject:
    """A process that takes turns.

    Attributes:
        failure: why it has ended; empty while it lives.

    Args:
        python: that runs it.
        program: a file beside this one.
        arguments: of the program.
    """

    def __init__(self, python: Path, program: str, arguments: Sequence[str]) -> None:
        self.failure = ""
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name(program)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, question: str) -> Any:
        """Write a line, and read the answer; nothing from a process that has ended."""
        if self._process.stdin is not None:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """What the process says of itself; nothing if it has ended."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self.failure = f"ended with exit code {self._process.wait()}"
            return {}
        return json.loads(line)

    def end(self) -> None:
        """Let the process go."""
        self._process.communicate()


def serve(take: Callable[[int], Any], peak: Callable[[], Any]) -> None:
    """In the process: answer until nobody asks any more.

    Args:
        take: a turn of so many rounds.
        peak: the memory that was taken.
    """
    for line in sys.stdin:
        say(peak() if line.strip() == "peak" else take(int(line)))


def say(answer: Any) -> None:
    """Answer with a line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def memory(field: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at most; ``getrusage`` would count the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))
