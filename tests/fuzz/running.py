"""Run many cases with several workers. A worker that an input ends is replaced."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from tests.fuzz.case import Case

__all__ = ["Answer", "answers"]

#: Seconds beyond its own limit after which a worker that does not answer is ended.
_PATIENCE = 40
#: The same for its first answer, which includes imports.
_START = 180


@dataclass(frozen=True)
class Answer:
    """The result of a case.

    Attributes:
        case: its name.
        what: what the input was.
        wrong: what was wrong with the answer; None where nothing was.
    """

    case: Case
    what: str
    wrong: str | None


def answers(cases: Sequence[Case], seed: int, workers: int, failures: Path | None = None) -> Iterator[Answer]:
    """Run cases, and yield the result of each in any order.

    Args:
        cases: their names.
        seed: of the run.
        workers: how many processes read at once.
        failures: the folder where inputs are kept that were answered wrongly.
    """
    waiting: SimpleQueue[Case] = SimpleQueue()
    for case in cases:
        waiting.put(case)
    done: SimpleQueue[Answer | None] = SimpleQueue()

    def work() -> None:
        try:
            while _work(waiting, done, seed, failures):
                pass
        finally:
            done.put(None)

    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(work) for _ in range(workers)]
        ended = 0
        while ended < workers:
            answer = done.get()
            if answer is None:
                ended += 1
            else:
                yield answer
        for one in running:
            one.result()


def _work(waiting: SimpleQueue[Case], done: SimpleQueue[Answer | None], seed: int, failures: Path | None) -> bool:
    """Give cases to one worker until it ends or no case is left; return whether it ended."""
    kept = [] if failures is None else ["--failures", str(failures)]
    command = [sys.executable, "-m", "tests.fuzz.worker", "--seed", str(seed), *kept]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as worker,
    ):
        assert worker.stdin is not None
        assert worker.stdout is not None
        patience = _START
        while True:
            try:
                case = waiting.get_nowait()
            except Empty:
                worker.stdin.close()
                return False
            line = _ask(worker.stdin, worker.stdout, case, patience)
            patience = _PATIENCE
            if not line:
                worker.kill()
                worker.wait()
                errors.seek(0)
                said = errors.read().decode(errors="replace")[-300:]
                done.put(Answer(case, "unknown", f"ends or blocks the process (code {worker.returncode}): {said!r}"))
                return True
            answer = json.loads(line)
            done.put(Answer(case, answer["what"], answer["wrong"]))


def _ask(to: IO[bytes], back: IO[bytes], case: Case, patience: float) -> bytes:
    """The answer of the worker; empty if none arrived in time."""
    try:
        to.write(f"{case}\n".encode())
        to.flush()
    except BrokenPipeError:
        return b""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([back], [], [], patience)[0]:
            return b""
        piece = os.read(back.fileno(), 1 << 16)
        if not piece:
            return b""
        line += piece
    return line


def chosen(cases: Iterable[Case], share: float) -> list[Case]:
    """The first cases of each reader and family: a fraction of a run, at least one."""
    every = list(cases)
    counts: dict[tuple[str, str], int] = {}
    for case in every:
        counts[case.door, case.family] = counts.get((case.door, case.family), 0) + 1
    return [case for case in every if case.number < max(1, round(share * counts[case.door, case.family]))]
