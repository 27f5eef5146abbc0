"""Compare a training step of Glow with other implementations: time, first call, peak memory.

Every subject runs in a separate process. The subjects of a case take turns, so that other load on the machine affects
all of them. Ratios compare times of the same turn.

    python benchmarks/glow.py --peers-python peers/bin/python --json glow.json
    python benchmarks/glow.py --cases large --batch 4 --batch 16 --json large.json

``--peers-python`` names a Python with tensorflow, tensorflow-probability, tf-keras, torch and normflows. The cases:

* ``step``: simtool and its peers.
* ``depth``: the three backpropagation modes of simtool at growing depth.
* ``large``: a preset of simtool at full size, for each mode and batch size. The subjects run one after the other.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.glow_subjects import SUBJECTS, Case
    from benchmarks.processes import Subject
else:
    from glow_subjects import SUBJECTS, Case
    from processes import Subject

CONSOLE = Console(stderr=True)
#: The backpropagation modes. The first is the reference.
MODES = ("plain", "recompute", "reversible")


class Name(StrEnum):
    """A group of cases."""

    step = "step"
    depth = "depth"
    large = "large"


@dataclass
class Row:
    """The measurements of one subject on one case.

    Attributes:
        seconds: median time of a training step.
        times_simtool: time relative to simtool's plain mode, the median over the turns.
        cpu_seconds: median CPU time of a step, summed over all cores.
        first_seconds: time of the first step, including building and tracing.
        build_seconds: time to create the model before the first step.
        peak_bytes: peak memory of the process.
        above_start_bytes: peak memory above the memory of the built model with its weights.
        gpu_peak_bytes: peak memory of the first GPU; None without a GPU.
    """

    case: str
    subject: str
    mode: str = ""
    seconds: float | None = None
    times_simtool: float | None = None
    cpu_seconds: float | None = None
    first_seconds: float | None = None
    build_seconds: float | None = None
    peak_bytes: int | None = None
    above_start_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    parameters: int | None = None
    size: int = 0
    batch: int = 0
    levels: int = 0
    steps: int = 0
    width: int = 0
    preset: str = ""
    turns: list[list[float]] = field(default_factory=list)
    cpu_turns: list[list[float]] = field(default_factory=list)
    failure: str = ""


class Runner:
    """A subject in a separate process that takes training steps on request."""

    def __init__(self, python: Path, case: Case, row: Row) -> None:
        self.row = row
        self._subject = Subject(python, "glow_subjects.py", [row.subject, json.dumps(asdict(case))])
        self._note(self._subject.answer())

    def take(self, steps: int) -> None:
        """Run one turn."""
        if not self.row.failure and (answer := self._subject.ask(str(steps))):
            self.row.turns.append(answer[0])
            self.row.cpu_turns.append(answer[1])
        self.row.failure = self._subject.failure

    def end(self) -> None:
        """Read the memory use and end the process."""
        if not self.row.failure:
            self._note(self._subject.ask("peak"))
        self._subject.end()

    def _note(self, answers: dict[str, Any]) -> None:
        for name, value in answers.items():
            setattr(self.row, name, value)
        self.row.failure = self._subject.failure


def rows_of(label: str, case: Case, subjects: Iterable[str], modes: Iterable[str] = MODES) -> list[tuple[Case, Row]]:
    """One row for every subject and mode."""
    found = []
    for subject in subjects:
        for mode in modes if subject == "simtool" else ("",):
            shape = {name: value for name, value in asdict(case).items() if name not in ("mode", "settings", "tf32")}
            found.append((replace(case, mode=mode), Row(label, subject, mode, **shape)))
    return found


def measure(pairs: list[tuple[Case, Row]], pythons: dict[str, Path | None], turns: int, steps: int) -> None:
    """Measure all subjects in turns; all processes exist at the same time."""
    runners = []
    for case, row in pairs:
        python = pythons[row.subject]
        if python is None:
            row.failure = "needs --peers-python"
            continue
        CONSOLE.print(f"starting {row.subject} {row.mode}: {row.case}")
        runners.append(Runner(python, case, row))
    for _ in range(turns + 1):  # the first turn warms up
        for runner in runners:
            runner.take(steps)
    for runner in runners:
        runner.end()


def summarize(rows: list[Row]) -> None:
    """Medians and ratios of the measurements, without the first turn."""
    ours = next((row for row in rows if row.mode == MODES[0] and not row.failure), None)
    for row in rows:
        row.turns, row.cpu_turns = row.turns[1:], row.cpu_turns[1:]
        if row.failure or not row.turns:
            continue
        row.seconds = statistics.median(second for turn in row.turns for second in turn)
        row.cpu_seconds = statistics.median(second for turn in row.cpu_turns for second in turn)
        if ours is not None:
            pairs = zip(row.turns, ours.turns if row is not ours else row.turns, strict=True)
            row.times_simtool = statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)


def table_of(label: str, rows: list[Row]) -> Table:
    """The rows of one case."""
    table = Table(title=label, title_justify="left")
    table.add_column("subject")
    for heading in (
        "step",
        "times plain",
        "CPU",
        "first call",
        "peak memory",
        "above the start",
        "parameters",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        name = f"{row.subject} {row.mode}".strip()
        if row.seconds is None or row.first_seconds is None or row.peak_bytes is None or row.above_start_bytes is None:
            table.add_row(name, row.failure)
            continue
        table.add_row(
            name,
            f"{row.seconds * 1e3:,.0f} ms",
            "" if row.times_simtool is None else f"{row.times_simtool:.2f}",
            "" if row.cpu_seconds is None else f"{row.cpu_seconds * 1e3:,.0f} ms",
            f"{row.first_seconds:.1f} s",
            f"{row.peak_bytes / 1e6:,.0f} MB",
            f"{row.above_start_bytes / 1e6:,.0f} MB",
            f"{row.parameters:,}",
        )
    return table


def main(
    cases: Annotated[list[Name] | None, typer.Option(help="Cases to run; repeatable. [step and depth]")] = None,
    subjects: Annotated[list[str] | None, typer.Option(help="Subjects of the case step; repeatable. [all]")] = None,
    modes: Annotated[list[str] | None, typer.Option(help="Backpropagation modes of simtool; repeatable. [all]")] = None,
    size: Annotated[int, typer.Option(help="Height and width of the images.")] = 32,
    batch: Annotated[
        list[int] | None, typer.Option(help="Images per step; repeatable for the case large. [16]")
    ] = None,
    levels: Annotated[int, typer.Option(help="Number of levels L.")] = 3,
    depth: Annotated[
        list[int] | None, typer.Option(help="Steps per level K of the case depth; repeatable. [4 to 48]")
    ] = None,
    width: Annotated[int, typer.Option(help="Hidden channels of the coupling networks.")] = 128,
    preset: Annotated[str, typer.Option(help="Preset of the case large.")] = "study",
    turns: Annotated[int, typer.Option(min=1)] = 10,
    steps: Annotated[int, typer.Option(min=1, help="Steps per turn.")] = 3,
    peers_python: Annotated[Path | None, typer.Option(help="A Python with the peers.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare Glow with its peers."""
    if unknown := [name for name in subjects or () if name not in SUBJECTS]:
        raise typer.BadParameter(f"no subject {unknown[0]}; there are {', '.join(SUBJECTS)}")
    if unknown := [mode for mode in modes or () if mode not in MODES]:
        raise typer.BadParameter(f"no mode {unknown[0]}; there are {', '.join(MODES)}")
    pythons = {name: Path(sys.executable) if name == "simtool" else peers_python for name in SUBJECTS}
    batches = batch or [16]
    shape = Case(size=size, batch=batches[0], levels=levels, width=width)
    flow = f"{size}x{size}, batch {batches[0]}, L={levels}, width {width}"
    groups: list[list[tuple[Case, Row]]] = []
    alone = f"large: {preset}"
    for name in cases or [Name.step, Name.depth]:
        if name is Name.step:
            groups.append(rows_of(f"step: {flow}, K={shape.steps}", shape, subjects or SUBJECTS, modes or MODES))
        elif name is Name.depth:
            for k in depth or [4, 8, 16, 48]:
                groups.append(rows_of(f"depth: {flow}, K={k}", replace(shape, steps=k), ["simtool"], modes or MODES))
        else:
            for b in batches:
                large = Case(preset=preset, batch=b)
                groups.append(rows_of(f"{alone}, batch {b}", large, ["simtool"], modes or MODES))
    every: list[Row] = []
    for pairs in groups:
        rows = [row for _, row in pairs]
        # The memory may hold only one large model at a time.
        for together in [[pair] for pair in pairs] if rows[0].case.startswith(alone) else [pairs]:
            measure(together, pythons, turns, steps)
        summarize(rows)
        every += rows
        Console(width=None if sys.stdout.isatty() else 130).print(table_of(rows[0].case, rows))
        if json_file:
            json_file.write_text(json.dumps([asdict(row) for row in every], indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
