"""The process that reads the inputs, with limits on time and memory. Its parent survives a crash.

It takes names of cases from standard input, a line each, and answers each with a line of JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType

from tests.fuzz.case import Case, Made
from tests.fuzz.damage import damage
from tests.fuzz.doors import DOORS
from tests.fuzz.verdict import verdict

__all__ = ["LONGEST", "make", "run"]

#: Time limit of a reader in seconds.
LONGEST = 10
#: Memory limit of a reader in bytes.
MEMORY = 2 << 30


class _HangError(BaseException):
    """A reader takes too long. No reader catches this exception."""


def make(case: Case, seed: int, folder: Path) -> Made:
    """Create the input of a case in an empty folder."""
    chance, door = case.chance(seed), DOORS[case.door]
    if case.family == "structured":
        assert door.structured is not None
        return door.structured(chance, folder)
    assert door.valid is not None
    made = door.valid(chance, folder)
    file = chance.choice(made.files)
    made.what = damage(file, chance, chance.choice(made.files).read_bytes())
    return made


def run(case: Case, seed: int, folder: Path) -> tuple[str, str | None]:
    """Make the input of a case, read it, and judge the answer.

    Returns:
        What the input is, and what is wrong with the answer; None where nothing is.
    """
    made = make(case, seed, folder)
    with tempfile.TemporaryFile() as outside, _captured(outside):
        try:
            with _time_limit():
                wrong = verdict(DOORS[case.door], made)
        except _HangError:
            wrong = f"hangs: more than {LONGEST} s"
        except MemoryError:
            wrong = f"takes more than {MEMORY >> 30} GiB"
        outside.seek(0)
        said = outside.read().decode(errors="replace").strip()
    if wrong is None and said:
        wrong = f"a library wrote to standard error: {said[:200]!r}"
    return made.what, wrong


@contextmanager
def _captured(file: io.BufferedRandom | tempfile._TemporaryFileWrapper[bytes]) -> Iterator[None]:
    """Redirect the standard error of libraries to a file; discard the messages of simtool."""
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))


def main() -> None:
    """Answer the cases on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--failures", type=Path)
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    _limit_memory()
    for line in sys.stdin:
        case = Case.parse(line.strip())
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            what, wrong = run(case, options.seed, Path(folder))
            if wrong is not None and options.failures is not None:
                shutil.copytree(folder, options.failures / str(case).replace("/", "-"), dirs_exist_ok=True)
        answers.write(json.dumps({"case": str(case), "what": what, "wrong": wrong}) + "\n")


if __name__ == "__main__":
    main()
