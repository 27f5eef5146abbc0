"""Run trainings by their real commands, and send a signal to them at an exact operation.

The trainings are forked processes of this one, so that TensorFlow is imported once. The stand-in ``strike`` counts
their file operations; the moments that are no file operation are marked in the program.
"""

from __future__ import annotations

import csv
import ctypes
import functools
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any

from PIL import Image

from simtool.models.folder import MANIFEST, check_weights, read_manifest
from simtool.training.arrays import read_arrays, read_header
from simtool.training.checkpoints import Checkpoints
from simtool.training.folder import TRAINING

__all__ = ["Blow", "Run", "newest", "run", "unreadable"]

#: Seconds after which the processes of a run hang.
_PATIENCE = 600


@dataclass(frozen=True)
class Blow:
    """A signal, and the moment at which a process sends it to itself.

    Attributes:
        phase: of the training, for the table.
        operation: ``create``, ``write``, ``fsync``, ``rename``, ``unlink``, ``mkdir``, ``rmdir``, ``sendmsg`` or
            ``mark``.
        pattern: of the path, or of the mark.
        nth: of these operations.
        moment: ``before`` or ``after`` the operation; ``half`` of a write.
        number: of the signal.
        worker: the process that is hit.
        once: a mark that must be reached first; empty for none.
    """

    phase: str
    operation: str
    pattern: str
    nth: int = 1
    moment: str = "before"
    number: Signals = SIGKILL
    worker: int = 0
    once: str = ""

    def __str__(self) -> str:
        words = f"{self.number.name} {self.moment} {self.operation} {self.pattern} ({self.nth})"
        return f"{words} of worker {self.worker}" if self.worker else words


@dataclass(frozen=True)
class Run:
    """The processes of a run that ended.

    Attributes:
        codes: that they exited with, by worker.
        began: the step of the checkpoint that was there; -1 without one.
        steps: that the first worker took.
        struck: whether the signal was sent.
        said: standard error of all of them.
        operations: of the first worker, in their order: the operation and the path.
        seconds: from the end of the first process to the end of the last one.
    """

    codes: tuple[int, ...]
    began: int
    steps: int
    struck: bool
    said: str
    operations: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def reached(self) -> int:
        """The last step that was taken."""
        return max(self.began, 0) + self.steps


def run(words: Sequence[str | Path], out: Path, blow: Blow | None = None, workers: int = 1) -> Run:
    """Start a command once, and wait for its end."""
    began = newest(out)
    logs = [out.with_name(f"{out.name}.{worker}.operations") for worker in range(workers)]
    errors = [out.with_name(f"{out.name}.{worker}.err") for worker in range(workers)]
    for file in (*logs, *errors):
        file.unlink(missing_ok=True)
    environments = [{"STRIKE_LOG": str(log), "STRIKE_UNDER": str(out)} for log in logs]
    if workers > 1:
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
        for worker, environment in enumerate(environments):
            task = {"type": "worker", "index": worker}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    processes = [
        _forked([*words, "--out", out], environment, error, blow if blow and blow.worker == worker else None)
        for worker, (environment, error) in enumerate(zip(environments, errors, strict=True))
    ]
    codes, seconds = _ends(processes)
    lines = [[line.partition(" ")[::2] for line in log.read_text().splitlines()] for log in logs]
    return Run(
        codes=codes,
        began=began,
        steps=lines[0].count(("mark", "end of step")),
        struck=any(line[0] == "struck" for line in lines[blow.worker if blow else 0]),
        said="".join(file.read_text() for file in errors),
        operations=tuple(lines[0]),
        seconds=seconds,
    )


def newest(out: Path) -> int:
    """The step of the newest checkpoint; -1 without checkpoints."""
    files = Checkpoints(out / TRAINING / "checkpoints").files()
    return int(files[0].stem.removeprefix("step-")) if files else -1


def unreadable(out: Path) -> list[str]:
    """The files of a model folder that cannot be read under their final names, and the checkpoints that lack a file."""
    found = [file for file in out.rglob("*") if file.is_file() and not file.name.startswith(".")]
    found = [file for file in found if not any(part.startswith(".") for part in file.relative_to(out).parts)]
    return [f"{file}: {failure}" for file in found if (failure := _failure(file)) is not None]


def _failure(file: Path) -> str | None:
    read = _READERS.get(file.suffix)
    try:
        if read is not None:
            read(file)
        if file.name == MANIFEST:
            check_weights(file.parent, read_manifest(file.parent))
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
    return None


def _read_arrays(file: Path) -> None:
    for _ in read_arrays(file):
        pass
    if (best := read_header(file).get("best")) and not (file.parent / best).is_file():
        raise ValueError(f"{best} is missing")


def _read_rows(file: Path) -> None:
    text = file.read_text()
    with file.open(newline="") as lines:
        if not text.endswith("\n") or len({len(row) for row in csv.reader(lines)}) != 1:
            raise ValueError("incomplete rows")


def _read_image(file: Path) -> None:
    with Image.open(file) as image:
        image.load()


_READERS: dict[str, Callable[[Path], Any]] = {
    ".npz": _read_arrays,
    ".csv": _read_rows,
    ".json": lambda file: json.loads(file.read_text()),
    ".png": _read_image,
}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _ends(processes: Sequence[int]) -> tuple[tuple[int, ...], float]:
    """The exit codes, and the seconds between the first and the last end."""
    codes: dict[int, int] = {}
    times: list[float] = []
    started = time.monotonic()
    while len(codes) < len(processes):
        for process in set(processes) - codes.keys():
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                codes[process] = os.waitstatus_to_exitcode(status)
                times.append(time.monotonic())
        if time.monotonic() - started > _PATIENCE:
            for process in set(processes) - codes.keys():
                os.kill(process, SIGKILL)
        time.sleep(0.01)
    return tuple(codes[process] for process in processes), times[-1] - times[0]


def _forked(words: Sequence[str | Path], environment: dict[str, str], errors: Path, blow: Blow | None) -> int:
    """Start a command in a copy of this process."""
    if process := os.fork():
        return process
    code = 70
    try:
        os.environ.update(environment)
        file = os.open(errors, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        _watch(blow)
        code = _main([str(word) for word in words])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _main(words: list[str]) -> int:
    from simtool import cli, stages

    stages.in_own_process = True
    sys.argv = ["simtool", *words]
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _watch(blow: Blow | None) -> None:
    """Mark the moments of a training that are no file operations, and arm the stand-in."""
    from simtool.training import evaluation, step
    from simtool.training.devices import Devices

    preloaded = ctypes.CDLL(None)

    def arm(now: Blow) -> None:
        names = [word.encode() for word in (now.operation, now.pattern, now.moment)]
        preloaded.strike(*names, now.nth, int(now.number))

    def marked(work: Callable[..., Any], before: str = "", after: str = "") -> Callable[..., Any]:
        @functools.wraps(work)
        def wrapped(*words: Any, **named: Any) -> Any:
            mark(before)
            result = work(*words, **named)
            mark(after)
            return result

        return wrapped

    waiting = [replace(blow, once="")] if blow and blow.once else []

    def mark(name: str) -> None:
        if name:
            preloaded.mark(name.encode())
        if waiting and blow and name == blow.once:
            arm(waiting.pop())

    if blow and not blow.once:
        arm(blow)
    owners: list[tuple[Any, str, dict[str, str]]] = [
        (step.Step, "start", {"before": "step"}),
        (step.Step, "finish", {"after": "end of step"}),
        (evaluation.Evaluation, "health", {"before": "health"}),
        (evaluation, "replica_batches", {"before": "batch of an evaluation"}),
        (Devices, "gathered", {"before": "exchange"}),
        (Devices, "shutdown_barrier", {"before": "end of training"}),
    ]
    for owner, name, names in owners:
        setattr(owner, name, marked(getattr(owner, name), **names))
