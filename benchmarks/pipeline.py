"""Compare the input pipeline of the trainings with tf.data and torchvision: images per second, without a network.

Every subject runs in a separate process. The subjects take turns, so that other load on the machine affects all of
them. Ratios compare the same turn.

    python benchmarks/pipeline.py --peers-python peers/bin/python --json pipeline.json
    python benchmarks/pipeline.py --cores 1 --json pipeline.json

``--peers-python`` names a Python with torch and torchvision. The decoded images are in memory; batches have 64 images.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.pipeline_subjects import CHOICES, OURS, PEERS
    from benchmarks.processes import Subject
else:
    from pipeline_subjects import CHOICES, OURS, PEERS
    from processes import Subject

#: Images per second that keep a GPU busy, by height and width.
TARGETS = {64: 20_000, 128: 5_000}
#: The reference subject.
FIRST = "simtool"


@dataclass
class Row:
    """The measurements of one subject on one case.

    Attributes:
        cores: of the processor.
        size: height and width of the images.
        augmentation: of the images, a name of :data:`CHOICES`.
        per_second: images per second, the median over the turns.
        best: images per second in the best turn, with the least other load on the machine.
        times_simtool: the same relative to the reference subject, the median over the turns.
        turns: images per second in each turn, without the first turn.
    """

    cores: int
    size: int
    augmentation: str
    subject: str
    per_second: float | None = None
    best: float | None = None
    times_simtool: float | None = None
    turns: list[float] = field(default_factory=list)
    failure: str = ""


def measure(rows: list[Row], peers_python: Path | None, turns: int, seconds: float) -> None:
    """Measure all subjects in turns; all processes exist at the same time."""
    subjects: dict[str, Subject] = {}
    for row in rows:
        python = Path(sys.executable) if row.subject in OURS else peers_python
        if python is not None and row.subject not in subjects:
            subjects[row.subject] = Subject(python, "pipeline_subjects.py", [row.subject, str(row.cores)])
    for _ in range(turns + 1):  # the first turn warms up
        for row in rows:
            if (subject := subjects.get(row.subject)) is None:
                row.failure = "needs --peers-python"
            elif not subject.failure and (answer := subject.ask(f"{row.size} {row.augmentation} {seconds}")):
                row.turns.append(answer["per_second"])
    for row in rows:
        row.failure = row.failure or subjects[row.subject].failure
    for subject in subjects.values():
        subject.end()


def summarize(rows: list[Row]) -> None:
    """Medians and ratios of the measurements, without the first turn."""
    for row in rows:
        row.turns = row.turns[1:]
        if row.turns:
            row.per_second, row.best = statistics.median(row.turns), max(row.turns)
    ours = {(row.size, row.augmentation): row.turns for row in rows if row.subject == FIRST}
    for row in rows:
        known = ours.get((row.size, row.augmentation), [])
        if row.turns and len(known) == len(row.turns):
            row.times_simtool = statistics.median(a / b for a, b in zip(row.turns, known, strict=True))


def cell(row: Row) -> str:
    """The images per second of a case, or why there are none."""
    return f"{row.per_second:,.0f} ({row.best:,.0f})" if row.per_second and row.best else row.failure


def table_of(rows: list[Row]) -> Table:
    """Images per second: a row for each subject and size, a column for each augmentation."""
    table = Table(title=f"images/s on {rows[0].cores} cores: median and best turn", title_justify="left")
    table.add_column("subject")
    for heading in ("size", *CHOICES, "target"):
        table.add_column(heading, justify="right")
    for subject, size in dict.fromkeys((row.subject, row.size) for row in rows):
        found = {row.augmentation: row for row in rows if (row.subject, row.size) == (subject, size)}
        cells = [cell(found[augmentation]) if augmentation in found else "" for augmentation in CHOICES]
        table.add_row(subject, str(size), *cells, f"{TARGETS[size]:,}" if size in TARGETS else "")
    return table


def main(
    subjects: Annotated[list[str] | None, typer.Option(help="Subjects to run; repeatable. [all]")] = None,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", help="Height and width; repeatable. [64 and 128]")
    ] = None,
    cores: Annotated[int, typer.Option(min=1)] = 2,
    turns: Annotated[int, typer.Option(min=1)] = 3,
    seconds: Annotated[float, typer.Option(min=0, help="The least time of a turn of a subject.")] = 0.3,
    peers_python: Annotated[Path | None, typer.Option(help="A Python with the peers.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare input pipelines."""
    if unknown := [name for name in subjects or () if name not in OURS | PEERS]:
        raise typer.BadParameter(f"no subject {unknown[0]}; there are {', '.join(OURS | PEERS)}")
    rows = [
        Row(cores, size, augmentation, subject)
        for size in sizes or TARGETS
        for augmentation in CHOICES
        for subject in subjects or OURS | PEERS
    ]
    measure(rows, peers_python, turns, seconds)
    summarize(rows)
    Console(width=None if sys.stdout.isatty() else 130).print(table_of(rows))
    if json_file:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
