"""Compare ResNet50 as an embedding with other implementations: images per second, first batch, peak memory.

Every subject runs in a separate process. The subjects take turns, so that other load on the machine affects all of
them. Ratios compare times of the same turn.

    python benchmarks/resnet.py --peers-python peers/bin/python --json resnet.json
    python benchmarks/resnet.py --images cub/images.parquet --peers-python peers/bin/python --json resnet.json
    python benchmarks/resnet.py --poolings --json poolings.json

``--peers-python`` names a Python with torch, torchvision and timm. With ``--images``, decoding and preprocessing are
measured too: alone, and together with the network. With ``--poolings``, simtool alone is measured: the mean of the map
of a layer, and its mean and standard deviation in a window.
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
    from benchmarks.processes import Subject
    from benchmarks.resnet_subjects import NETWORKS, PHOTOGRAPHS, POOLINGS, SUBJECTS, Case
else:
    from processes import Subject
    from resnet_subjects import NETWORKS, PHOTOGRAPHS, POOLINGS, SUBJECTS, Case

CONSOLE = Console(stderr=True)
#: Subjects that run in the environment of simtool.
OURS = ("simtool", "Keras", "OpenVINO")
#: The reference subject, if it is among them; else the first.
FIRST = "simtool"


@dataclass
class Row:
    """The measurements of one subject.

    Attributes:
        seconds: the median time for one image.
        per_second: images per second.
        times_simtool: time relative to the reference subject, the median over the turns.
        first_seconds: time of the first round, including tracing and compilation.
        peak_bytes: peak memory of the process.
        turns: seconds per image in each round, without the first turn.
    """

    case: str
    subject: str
    seconds: float | None = None
    per_second: float | None = None
    times_simtool: float | None = None
    first_seconds: float | None = None
    peak_bytes: int | None = None
    turns: list[list[float]] = field(default_factory=list)
    failure: str = ""


class Runner:
    """A subject in a separate process that embeds images on request."""

    def __init__(self, python: Path, case: Case, row: Row) -> None:
        CONSOLE.print(f"starting {row.subject}")
        self._row = row
        self._subject = Subject(python, "resnet_subjects.py", [row.subject, json.dumps(asdict(case))])
        row.first_seconds = self._subject.answer().get("first_seconds")
        row.failure = self._subject.failure

    def take(self, rounds: int) -> None:
        """Run one turn."""
        if not self._row.failure and (seconds := self._subject.ask(str(rounds))):
            self._row.turns.append(seconds)
        self._row.failure = self._subject.failure

    def end(self) -> None:
        """Read the memory use and end the process."""
        if not self._row.failure:
            self._row.peak_bytes = self._subject.ask("peak").get("peak_bytes")
            self._row.failure = self._subject.failure
        self._subject.end()


def measure(rows: list[Row], case: Case, peers_python: Path | None, turns: int, rounds: int) -> None:
    """Measure all subjects in turns; all processes exist at the same time."""
    runners = []
    for row in rows:
        python = Path(sys.executable) if row.subject.startswith(OURS) else peers_python
        if python is None:
            row.failure = "needs --peers-python"
        else:
            runners.append(Runner(python, case, row))
    for _ in range(turns + 1):  # the first turn warms up
        for runner in runners:
            runner.take(rounds)
    for runner in runners:
        runner.end()


def summarize(rows: list[Row]) -> None:
    """Medians and ratios of the measurements, without the first turn."""
    for row in rows:
        row.turns = row.turns[1:]
        if row.turns:
            row.seconds = statistics.median(second for turn in row.turns for second in turn)
            row.per_second = 1 / row.seconds
    ours = next((row for row in rows if row.subject == FIRST), rows[0])
    for row in rows:
        if ours.seconds and row.seconds:
            pairs = zip(row.turns, ours.turns, strict=True)
            row.times_simtool = statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)


def table_of(rows: list[Row]) -> Table:
    """The rows, the fastest first."""
    table = Table(title=rows[0].case, title_justify="left")
    table.add_column("subject")
    for heading in ("images/s", "times simtool's", "first round", "peak memory"):
        table.add_column(heading, justify="right")
    for row in sorted(rows, key=lambda row: -(row.per_second or 0)):
        if row.seconds is None or row.first_seconds is None or row.peak_bytes is None:
            table.add_row(row.subject, row.failure)
            continue
        table.add_row(
            row.subject,
            f"{row.per_second:,.1f}",
            "" if row.times_simtool is None else f"{row.times_simtool:.2f}",
            f"{row.first_seconds:.1f} s",
            f"{row.peak_bytes / 1e6:,.0f} MB",
        )
    return table


def files_of(images: Path, count: int) -> tuple[str, ...]:
    """Image files, equally spaced in a table."""
    from simtool.tables.images import image_paths, read_images

    paths = image_paths(images, read_images(images))
    if len(paths) < count:
        raise typer.BadParameter(f"{images} has {len(paths):,} images; {count:,} are needed", param_hint="--images")
    return tuple(str(path) for path in paths[:: len(paths) // count][:count])


def main(
    images: Annotated[Path | None, typer.Option(help="A table of images; decoding is measured too.")] = None,
    poolings: Annotated[bool, typer.Option("--poolings", help="Compare poolings of simtool instead.")] = False,
    subjects: Annotated[list[str] | None, typer.Option(help="Subjects to run; repeatable. [all]")] = None,
    size: Annotated[int, typer.Option(help="Height and width of the network's input.")] = 224,
    batch: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 32,
    count: Annotated[int, typer.Option(min=1, help="Batches per round, for subjects that decode files.")] = 3,
    turns: Annotated[int, typer.Option(min=1)] = 7,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per turn.")] = 1,
    peers_python: Annotated[Path | None, typer.Option(help="A Python with the peers.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare ResNet50 as an embedding with its peers."""
    if unknown := [name for name in subjects or () if name not in SUBJECTS]:
        raise typer.BadParameter(f"no subject {unknown[0]}; there are {', '.join(SUBJECTS)}")
    usual = NETWORKS if images is None else NETWORKS | PHOTOGRAPHS
    wanted = subjects or list(POOLINGS if poolings else usual)
    files = () if images is None else files_of(images, batch * count)
    rows = [Row(f"ResNet50, {size}x{size}, batches of {batch}", name) for name in wanted]
    measure(rows, Case(size, batch, files), peers_python, turns, rounds)
    summarize(rows)
    Console(width=None if sys.stdout.isatty() else 130).print(table_of(rows))
    if json_file:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
