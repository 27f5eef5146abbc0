"""Run the subject of a benchmark in a separate process. Requests are lines; answers are JSON.

At its import, this module needs only the standard library, because peers run it in other environments.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

__all__ = ["Subject", "fix_tf32", "gpu_peak", "memory", "say", "serve"]

#: Characters of the last line of standard error.
_LONGEST = 300


class Subject:
    """A process that answers requests.

    Attributes:
        failure: why the process ended; empty while it runs.

    Args:
        python: the interpreter.
        program: a file in the folder of this module.
        arguments: command-line arguments of the program.
        environment: of the process; None for that of this process.
        seconds: after which the process is killed; None for no limit.
    """

    def __init__(
        self,
        python: Path,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> None:
        self.failure = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name(program)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self._timer = None if seconds is None else Timer(seconds, self._process.kill)
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def ask(self, question: str) -> Any:
        """Write a line and return the answer; an empty object if the process has ended."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(question + "\n")
                self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """The next answer of the process; an empty object if it has ended."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self.failure = f"ended with exit code {self._process.wait()}: {self._last_words()}".rstrip(": ")
            return {}
        return json.loads(line)

    def end(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._process.communicate()
        self._process.wait()
        if self._timer is not None:
            self._timer.cancel()
        self._errors.close()

    def _last_words(self) -> str:
        """The last line of standard error."""
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:_LONGEST] if lines else ""


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


def fix_tf32(on: bool) -> None:
    """Say whether GPUs round float32 to TF32, for the whole process: before the subject, which may say otherwise.

    TensorFlow keeps the algorithm of a convolution from its first call.
    """
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(on)
    tf.config.experimental.enable_tensor_float_32_execution = lambda _: None


def gpu_peak() -> int | None:
    """The peak memory of the first GPU of TensorFlow in bytes; None without one."""
    tf = sys.modules.get("tensorflow")
    if tf is None or not tf.config.get_visible_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
