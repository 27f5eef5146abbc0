"""Kill trainings at exact moments, and resume them: nothing is lost, and the results are those of a whole training.

    python -m tests.system.kill_matrix FOLDER [--every 8] [--only "train-glow checkpoint"] [--json FILE]

Every phase of a training is hit: evaluations, checkpoints, the final save, and the exchange of two workers. After each
signal, every file under its final name is read, and the same command runs again. All takes a quarter of an hour;
``--every 8`` hits every eighth moment. The program needs a C compiler; it loads itself again with the stand-in
``strike``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1

from simtool.training.folder import MANIFEST
from simtool.training.outcome import EXIT_CODE
from tests.photographs import write_table
from tests.system.kills import Blow, Run, newest, run, unreadable
from tests.system.standins import library
from tests.system.world import contents

#: 20 images, of which 8 are held out: epochs of 3 steps, evaluations of 2 batches.
_IMAGES, STEPS_PER_EPOCH, EPOCHS, CHECKPOINT_STEPS = 20, 3, 14, 2
_OPTIONS = (
    "--preset",
    "tiny",
    "--batch-size",
    "4",
    "--validation",
    "0.4",
    "--set",
    f"checkpoint-steps={CHECKPOINT_STEPS}",
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "train-glow": ("--size", "8", "--levels", "1", "--steps", "1", "--width", "8", "--initial-images", "8"),
    "train-resnet": ("--size", "16"),
    "train-jet": ("--size", "8", "--patch", "2", "--steps", "1", "--width", "8"),
}
#: Of the moments of the final save, only every so many are hit.
LESS = {"train-glow": 1, "train-resnet": 2, "train-jet": 4}
LAST, TWO = "final save", "two workers"
_STEP, _BEST, _LOG = "*/.step-*.tmp", "*/.best-*.tmp", "*/log.csv"
#: Exit codes of a process that was hit by a signal: while it trains, and before and after that.
_CODES = {SIGKILL: {-SIGKILL}, SIGTERM: {EXIT_CODE, 128 + SIGTERM}, SIGUSR1: {EXIT_CODE, -SIGUSR1}}

EVALUATION = (
    Blow("evaluation", "mark", "health"),
    Blow("evaluation", "mark", "batch of an evaluation", 1),
    Blow("evaluation", "mark", "batch of an evaluation", 2),
    Blow("evaluation", "create", _BEST),
    Blow("evaluation", "write", _BEST, 1, "half"),
    Blow("evaluation", "write", _BEST, 1, "after"),
    Blow("evaluation", "fsync", _BEST),
    Blow("evaluation", "rename", "*/best-*.npz", 1, "before"),
    Blow("evaluation", "rename", "*/best-*.npz", 1, "after"),
    Blow("evaluation", "mark", "batch of an evaluation", 1, number=SIGTERM),
    Blow("evaluation", "mark", "batch of an evaluation", 3, number=SIGUSR1),
    Blow("evaluation", "mark", "batch of an evaluation", 4),
    Blow("evaluation", "rename", _LOG, 2, "before"),
    Blow("evaluation", "write", "*/.log.csv*", 2, "half"),
    Blow("evaluation", "rename", _LOG, 3, "after"),
    Blow("evaluation", "mark", "batch of an evaluation", 2, number=SIGUSR1),
)
CHECKPOINT = (
    Blow("checkpoint", "create", _STEP, 2, "before"),
    Blow("checkpoint", "create", _STEP, 2, "after"),
    Blow("checkpoint", "write", _STEP, 2, "half"),
    Blow("checkpoint", "write", _STEP, 2, "after"),
    Blow("checkpoint", "write", _STEP, 2, "before", SIGTERM),
    Blow("checkpoint", "fsync", _STEP, 2, "before"),
    Blow("checkpoint", "fsync", _STEP, 2, "after"),
    Blow("checkpoint", "rename", "*/step-*.npz", 2, "before"),
    Blow("checkpoint", "rename", "*/step-*.npz", 2, "after"),
    Blow("checkpoint", "rename", "*/step-*.npz", 2, "after", SIGUSR1),
    Blow("checkpoint", "fsync", "*/checkpoints", 2, "before"),
    Blow("checkpoint", "fsync", "*/checkpoints", 2, "after"),
    Blow("checkpoint", "unlink", "*/step-*.npz", 1, "before"),
    Blow("checkpoint", "unlink", "*/step-*.npz", 1, "after"),
    Blow("checkpoint", "unlink", "*/step-*.npz", 1, "after", SIGTERM),
    Blow("checkpoint", "fsync", "*/training", 1, "before"),
)
WORKERS = (
    Blow("two workers", "create", _BEST),
    Blow("two workers", "mark", "batch of an evaluation", 1, worker=1),
    Blow("two workers", "rename", "*/best-*.npz", 1, "after"),
    Blow("two workers", "mark", "exchange", 2, once="health"),
    Blow("two workers", "mark", "exchange", 2, worker=1, once="health"),
    Blow("two workers", "mark", "step", 2),
    Blow("two workers", "mark", "step", 2, worker=1),
    Blow("two workers", "sendmsg", "*", 2, once="step"),
    Blow("two workers", "sendmsg", "*", 3, "after", once="step"),
    Blow("two workers", "sendmsg", "*", 2, worker=1, once="step"),
    Blow("two workers", "sendmsg", "*", 3, "after", worker=1, once="step"),
    Blow("two workers", "mark", "step", 3, number=SIGUSR1, worker=1),
    Blow("two workers", "write", _STEP, 2, "half"),
    Blow("two workers", "rename", "*/step-*.npz", 2, "before"),
    Blow("two workers", "rename", "*/step-*.npz", 2, "after"),
    Blow("two workers", "unlink", "*/step-*.npz", 1, "before"),
    Blow("two workers", "mark", "batch of an evaluation", 2, number=SIGTERM),
    Blow("two workers", "mark", "end of step", 4, worker=1),
    Blow("two workers", "rename", "*/struck/weights.npz"),
    Blow("two workers", "rename", "*/struck/model.json"),
    Blow("two workers", "mark", "end of training", worker=1),
)
BLOWS = {"evaluation": EVALUATION, "checkpoint": CHECKPOINT, TWO: WORKERS}


@dataclass(frozen=True)
class Outcome:
    """A signal and what it did.

    Attributes:
        command: that was hit.
        blow: the signal and its moment.
        lost: the steps that the next run repeats.
        wait: seconds until the other worker ended too.
        faults: what is wrong; empty if nothing is.
    """

    command: str
    blow: Blow
    lost: int
    wait: float
    faults: tuple[str, ...]


class Matrix:
    """The trainings of one command under signals, in one folder."""

    def __init__(self, folder: Path, command: str, workers: int = 1) -> None:
        self._folder, self._command, self._workers = folder, command, workers
        folder.mkdir(parents=True)
        images = write_table(folder, _IMAGES, class_id=[0, 1] * 10, class_name=["wren", "robin"] * 10)
        self._words: tuple[str | Path, ...] = (command, images, *COMMANDS[command], *_OPTIONS)
        self.outcomes: list[Outcome] = []

    def train(self, name: str, blow: Blow | None = None, epochs: int = EPOCHS, *more: str) -> Run:
        """Run the command once."""
        return run((*self._words, "--epochs", str(epochs), *more), self._folder / name, blow, self._workers)

    def strike(self, blows: Sequence[Blow]) -> None:
        """Hit one training by all of the signals, one after the other, and compare its end to a whole training."""
        whole, struck, before = self._whole(EPOCHS), self._folder / "struck", len(self.outcomes)
        for blow in blows:
            self._judge(blow, self.train(struck.name, blow), struck)
        self._end(struck, whole, before, EPOCHS)

    def strike_last(self, every: int) -> None:
        """Hit the end of a training at every so many of its operations, each time from the same state.

        The training replaces an older model in its folder.
        """
        whole, ready, struck = self._whole(1), self._folder / "ready", self._folder / "struck"
        self.train(ready.name, None, 1)
        assert self.train(ready.name, Blow("", "mark", "step", STEPS_PER_EPOCH), 1, "--restart").struck
        shutil.copytree(ready, struck)
        blows = list(_last_blows(self.train(struck.name, None, 1).operations))
        for blow in blows[every // 2 :: every]:
            before = len(self.outcomes)
            shutil.rmtree(struck)
            shutil.copytree(ready, struck)
            self._judge(blow, self.train(struck.name, blow, 1), struck)
            self._end(struck, whole, before, 1)

    def _whole(self, epochs: int) -> Path:
        place = self._folder / f"whole-{epochs}"
        if not place.exists():
            done = self.train(place.name, None, epochs)
            assert set(done.codes) == {0}, done.said
        return place

    def _judge(self, blow: Blow, done: Run, out: Path) -> None:
        """Check the processes of a run that was hit, and the folder that they left."""
        faults = unreadable(out)
        if not done.struck:
            faults.append("the moment was not reached")
        codes = _CODES[blow.number] | ({0} if (out / MANIFEST).exists() and blow.number != SIGKILL else set())
        if done.struck and done.codes[blow.worker] not in codes:
            faults.append(f"exit codes {done.codes}: {done.said[-500:]}")
        if "Traceback" in done.said:
            faults.append(f"a traceback: {done.said[-1500:]}")
        lost = done.reached - max(newest(out), 0)
        if lost > (CHECKPOINT_STEPS if blow.number == SIGKILL else 0):
            faults.append(f"{lost} steps are lost")
        self.outcomes.append(Outcome(self._command, blow, lost, done.seconds, tuple(faults)))

    def _end(self, struck: Path, whole: Path, first: int, epochs: int) -> None:
        """Run to the end, and compare everything to the whole training."""
        done = self.train(struck.name, None, epochs)
        faults = [f"the last run: {done.codes} {done.said}"] if set(done.codes) != {0} else []
        expected, found = contents(whole), contents(struck)
        for name in sorted(expected.keys() | found.keys()):
            if name not in expected:
                faults.append(f"{name} was left")
            elif name not in found:
                faults.append(f"{name} is missing")
            elif expected[name] != found[name]:
                faults.append(f"{name} differs")
        self.outcomes[first:] = [replace(one, faults=(*one.faults, *faults)) for one in self.outcomes[first:]]


def _last_blows(operations: Sequence[tuple[str, str]]) -> Iterator[Blow]:
    """A signal before each operation after the last step; of many writes to a file, one is hit, and halfway."""
    last = max(at for at, line in enumerate(operations) if line == ("mark", "end of step"))
    seen: dict[tuple[str, str], int] = {}
    for at, (operation, path) in enumerate(operations):
        key = (operation, _pattern(path))
        seen[key] = seen.get(key, 0) + 1
        if at < last or operation in ("mark", "struck") or (operation == "write" and seen[key] > 1):
            continue
        yield Blow(LAST, *key, seen[key], "half" if operation == "write" else "before")
        if operation == "rename":
            for number in (SIGTERM, SIGUSR1):
                yield Blow(LAST, *key, seen[key], "after", number)


def _pattern(path: str) -> str:
    """The pattern of a path: its last two names without the random part."""
    parts = path.split("/")[-2:]
    return "*/" + "/".join(_without_chance(part) for part in parts)


def _without_chance(name: str) -> str:
    if name.startswith(".") and name.endswith((".tmp", ".old")):
        return "*".join((name[:-13], name[-4:]))
    return "events.out.*" if name.startswith("events.out.") else name


def table(outcomes: Sequence[Outcome]) -> str:
    """The numbers of signals by phase, command and signal, in Markdown."""
    lines = ["| phase | training | signal | signals | steps repeated, at most | equal |", "|---|---|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.blow.phase, one.command, one.blow.number.name), []).append(one)
    for (phase, command, name), members in groups.items():
        equal = sum(not one.faults for one in members)
        lost = max(one.lost for one in members)
        lines.append(f"| {phase} | `{command}` | {name} | {len(members)} | {lost} | {equal} of {len(members)} |")
    return "\n".join(lines)


def outcomes_of(folder: Path, command: str, phase: str, every: int) -> list[Outcome]:
    """Hit a training in a phase, at every so many of its moments."""
    matrix = Matrix(folder / f"{command} {phase}", command, 2 if phase == TWO else 1)
    if phase == LAST:
        matrix.strike_last(every * LESS[command])
    else:
        matrix.strike(BLOWS[phase][every // 2 :: every])
    return matrix.outcomes


def main() -> None:
    """Run the matrix, print its table, and exit with 1 if anything is lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="hit every so many moments of each phase")
    parser.add_argument("--only", default="", help="a command and a phase, or the beginning of both")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if "strike" not in os.environ.get("LD_PRELOAD", ""):
        words = [sys.executable, "-m", "tests.system.kill_matrix", *sys.argv[1:]]
        loaded = os.environ | {"LD_PRELOAD": str(library("strike", folder))}
        sys.exit(subprocess.run(words, env=loaded, check=False).returncode)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        del os.environ[name]
    import keras  # noqa: F401 - once for all trainings

    outcomes = [
        outcome
        for command in COMMANDS
        for phase in (*BLOWS, LAST)
        if f"{command} {phase}".startswith(options.only)
        for outcome in outcomes_of(folder, command, phase, options.every)
    ]
    sys.stdout.write(table(outcomes) + "\n")
    if options.json:
        rows = [{**asdict(one), "equal": not one.faults} for one in outcomes]
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    for one in outcomes:
        if one.faults:
            sys.stderr.write(f"{one.command} {one.blow}: {one.faults}\n")
    sys.exit(any(one.faults for one in outcomes))


if __name__ == "__main__":
    main()
