"""Run the subject of a benchmark in a separate process. Requests are lines; answers are JSON.

This module imports only the standard library, because peers run it in other environments.
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
    """A process that answers requests.

    Attributes:
        failure: why the process ended; empty while it runs.

    Args:
        python: the interpreter.
        program: a file in the folder of this module.
        arguments: command-line arguments of the program.
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
        """Write a line and return the answer; None if the process has ended."""
        if self._process.stdin is not None:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """The next answer of the process; None if it has ended."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self.failure = f"ended with exit code {self._process.wait()}"
            return {}
        return json.loads(line)

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def serve(take: Callable[[int], Any], peak: Callable[[], Any]) -> None:
    """In the process: answer requests until standard input closes.

    Args:
        take: runs a number of rounds and returns the answer.
        peak: returns the memory use.
    """
    for line in sys.stdin:
        say(peak() if line.strip() == "peak" else take(int(line)))


def say(answer: Any) -> None:
    """Write an answer as one line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def memory(field: str) -> int:
    """Bytes of this process: ``VmRSS`` is the current value, ``VmHWM`` the peak. ``getrusage`` includes the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))
