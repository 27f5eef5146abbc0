"""Measure whole commands, as a user runs them: wall time, processor time, peak memory, and bytes written.

Every command runs in a separate process on files that are made from a seed. The files stay in FOLDER: a later call
with the same FOLDER does not make them again.

    python benchmarks/commands.py --folder /tmp/files --command score --data things --trials 4700000
    python benchmarks/commands.py --folder /tmp/files --command report --trials 1200000 --pairs 12 --before ../older

``--before`` names another version of simtool: its source tree (which runs in this Python), or the Python in which it is
installed. The versions take turns. The first turn compiles the loops of a version and reads files from the disk; it
is in a separate column, and does not count in the medians. A ratio is the median of the ratios of the turns.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

# This process imports nothing large: a new process inherits the peak memory of its parent.

CONSOLE = Console(stderr=True)
HERE = Path(__file__).resolve().parent
#: Default sizes: of birds-16 with its comparisons, of a small and a large study, and of THINGS.
TRIALS, PAIRS = [75_000, 300_000, 1_200_000, 4_700_000], [2, 12, 24]


class Data(StrEnum):
    """Mixed: 11,788 images, 2,048 dimensions, a sixth of the trials 8-rank-2. Things: 1,854 images, 768 dimensions.

    Labelled: like mixed, but the outcomes state the classes and groups of images; only ``report`` reads them. Odd:
    like things, but odd-one-out judgments.
    """

    mixed = "mixed"
    labelled = "labelled"
    things = "things"
    odd = "odd"


@dataclass(frozen=True)
class Case:
    """A command on certain files.

    Attributes:
        command: the name of the subcommand.
        data: the kind of images and trials; empty for commands that read images.
        trials: the number of trials; 0 for commands that read images.
        pairs: the number of pairs of model and distance in the outcomes; 0 for commands that do not read outcomes.
    """

    command: str
    data: str = ""
    trials: int = 0
    pairs: int = 0

    def __str__(self) -> str:
        sizes = [f"{self.trials:,} trials"] if self.trials else ["208 images"]
        return ", ".join(filter(None, [self.command, self.data, *sizes, f"{self.pairs} pairs" if self.pairs else ""]))

    def file(self, folder: Path, name: str) -> Path:
        """An input of the command; it is made if it does not exist."""
        depends = {"judgments.csv": 2, "trials.parquet": 2, "outcomes.parquet": 3, "vectors.parquet": 1}.get(name, 0)
        of = [self.data, str(self.trials), str(self.pairs)]
        path = folder / "-".join([*of[:depends], name])
        if not path.exists():
            CONSOLE.print(f"making {path.name}")
            making = folder / f"making-{name}"
            program = [sys.executable, str(HERE / "command_files.py"), str(making), name, *of]
            subprocess.run(program, check=True, env={**os.environ, "PYTHONPATH": str(HERE.parent)})
            making.rename(path)
        return path

    def arguments(self, folder: Path, out: Path) -> list[str]:
        """The arguments of ``simtool``; ``out`` is the folder to write to."""
        match self.command:
            case "import-trials":
                words = [self.file(folder, "judgments.csv"), "--out", out / "trials.parquet"]
            case "score":
                trials = ["--trials", self.file(folder, "trials.parquet")]
                words = [self.file(folder, "vectors.parquet"), *trials, "--out", out / "outcomes.parquet"]
            case "report":
                words = [self.file(folder, "outcomes.parquet"), "--json", out / "report.json"]
            case "index-images":
                words = [self.file(folder, "images") / "photographs", "--out", out / "images.parquet"]
            case "embed":
                images = self.file(folder, "images") / "images.parquet"
                words = [images, "--model", "pixels", "--out", out / "pixels.parquet"]
            case _:
                words = [self.file(folder, "images") / "images.parquet", "--components", 100, "--out", out / "pca"]
        return [self.command, *map(str, words)]


COMMANDS = ("import-trials", "score", "report", "index-images", "embed", "fit-pca")


@dataclass(frozen=True)
class Turn:
    """The measurements of one process."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    written_bytes: int
    failure: str


@dataclass
class Row:
    """The measurements of one version of simtool on one case; medians over the turns, and the largest peak.

    Attributes:
        subject: ``simtool``, or ``before``.
        first_seconds: of the first turn, which does not count.
        written_bytes: the size of the files that the command wrote.
        relative: the time divided by simtool's.
    """

    case: str
    command: str
    data: str
    trials: int
    pairs: int
    subject: str
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int = 0
    written_bytes: int = 0
    first_seconds: float | None = None
    relative: float | None = None
    runs: list[float] = field(default_factory=list)
    failure: str = ""


class Version:
    """A version of simtool that can run.

    Args:
        place: a source tree, which runs in this Python, or a Python in which simtool is installed.
    """

    def __init__(self, place: Path) -> None:
        self._environment = {name: value for name, value in os.environ.items() if name not in UNUSUAL}
        python = sys.executable
        if place.is_dir():
            self._environment["PYTHONPATH"] = str(place.resolve())
        else:
            python = str(place.absolute())
            self._environment.pop("PYTHONPATH", None)
        self._start = [python, "-m", "simtool"]

    def run(self, case: Case, folder: Path) -> Turn:
        """Run a command in an empty folder."""
        out = folder / "written"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        command, log = [*self._start, *case.arguments(folder, out)], folder / "log.txt"
        with log.open("w") as said:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=said, stderr=said, cwd=out, env=self._environment)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = log.read_text().strip().splitlines() or ["no message"]
        failure = f"exit {process.returncode}: {lines[-1][:160]}" if status else ""
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        shutil.rmtree(out)
        return Turn(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, written, failure)


#: Variables of the environment that slow down a program and that users do not set.
UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def measure(case: Case, versions: Mapping[str, Version], turns: int, folder: Path) -> list[Row]:
    """The rows of one case. The versions take turns; a version that fails has no further turn."""
    case.arguments(folder, folder)  # makes the files
    taken: dict[str, list[Turn]] = {name: [] for name in versions}
    for turn in range(turns + 1):
        for name, version in versions.items():
            if not any(each.failure for each in taken[name]):
                CONSOLE.print(f"{case}: {name}, turn {turn}")
                taken[name].append(version.run(case, folder))
    return [row_of(case, name, found, taken["simtool"]) for name, found in taken.items()]


def row_of(case: Case, subject: str, found: list[Turn], ours: list[Turn]) -> Row:
    """The row of one version; ``ours`` are the turns of this version of simtool."""
    row = Row(str(case), case.command, case.data, case.trials, case.pairs, subject, failure=found[-1].failure)
    row.peak_bytes = max(turn.peak_bytes for turn in found)
    if not row.failure:
        row.first_seconds, row.runs = found[0].seconds, [turn.seconds for turn in found[1:]]
        row.seconds = statistics.median(row.runs)
        row.cpu_seconds = statistics.median(turn.cpu_seconds for turn in found[1:])
        row.written_bytes = found[-1].written_bytes
        if not ours[-1].failure:
            pairs = zip(found[1:], ours[1:], strict=True)
            row.relative = statistics.median(turn.seconds / own.seconds for turn, own in pairs)
    return row


def table_of(rows: list[Row]) -> Table:
    table = Table("case", "subject", box=None)
    for heading in ("time", "times simtool's", "processor time", "peak memory", "written", "first run"):
        table.add_column(heading, justify="right")
    for row in rows:
        if row.seconds is None:
            table.add_row(row.case, row.subject, row.failure)
            continue
        times = [f"{row.seconds:.2f} s", f"{row.relative:.2f}" if row.relative else "", f"{row.cpu_seconds:.2f} s"]
        sizes = [f"{row.peak_bytes / 1e6:,.0f} MB", f"{row.written_bytes / 1e6:.2f} MB", f"{row.first_seconds:.2f} s"]
        table.add_row(row.case, row.subject, *times, *sizes)
    return table


def growth(rows: list[Row]) -> Iterator[str]:
    """How the time of this version grows from each size to the next one, where only one size differs."""
    ours = [row for row in rows if row.subject == "simtool" and row.trials]
    for kind, size, other in (
        ("trials", attrgetter("trials"), attrgetter("command", "data", "pairs")),
        ("pairs", attrgetter("pairs"), attrgetter("command", "data", "trials")),
    ):
        for one, larger in pairwise(sorted(ours, key=lambda row: (other(row), size(row)))):
            if other(one) == other(larger) and one.seconds and larger.seconds:
                factor, longer = size(larger) / size(one), larger.seconds / one.seconds
                yield (
                    f"{larger.case}: {factor:.2f} times as many {kind} take {longer:.2f} times as long, "
                    f"{longer / factor:.2f} of linear"
                )


def cases(commands: list[str], data: list[Data], trials: list[int], pairs: list[int]) -> Iterator[Case]:
    for command in commands:
        if command in ("import-trials", "score", "report"):
            for kind in data if command == "report" else [each for each in data if each is not Data.labelled]:
                for count in sorted(trials):
                    for pair in sorted(pairs) if command == "report" else [0]:
                        yield Case(command, kind.value, count, pair)
        else:
            yield Case(command)


def main(
    command: Annotated[list[str] | None, typer.Option(help="Command to measure; repeatable. [all]")] = None,
    data: Annotated[list[Data] | None, typer.Option(help="Kind of data; repeatable. [all]")] = None,
    trials: Annotated[list[int] | None, typer.Option(help="Number of trials; repeatable. [75 k to 4.7 M]")] = None,
    pairs: Annotated[
        list[int] | None, typer.Option(help="Pairs of model and distance in a report; repeatable. [2, 12 and 24]")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Turns that count.")] = 3,
    before: Annotated[Path | None, typer.Option(help="Another version: its source tree, or its Python.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of the files. [a temporary folder]")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Measure whole commands, on files that are made from a seed. Without options: all commands at all sizes."""
    if unknown := [name for name in command or () if name not in COMMANDS]:
        raise typer.BadParameter(f"no command {unknown[0]}; there are {', '.join(COMMANDS)}")
    place = (folder or Path(tempfile.mkdtemp(prefix="simtool-benchmark-"))).resolve()
    place.mkdir(parents=True, exist_ok=True)
    versions = {"simtool": Version(HERE.parent)} | ({"before": Version(before)} if before else {})
    rows: list[Row] = []
    for case in cases(command or list(COMMANDS), data or list(Data), trials or TRIALS, pairs or PAIRS):
        rows += measure(case, versions, turns, place)
        if json_file:
            json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(table_of(rows))
    for line in growth(rows):
        out.print(line)
    if folder is None:
        shutil.rmtree(place)


if __name__ == "__main__":
    typer.run(main)
