"""One table of the speed of a GPU in less than 5 minutes: steps of Glow and ResNet50, and embed, beside their rivals.

    srun --gres=gpu:1 --time=10 .venv/bin/python benchmarks/gpu.py --json gpu.json
    python benchmarks/gpu.py --rows "resnet step" --rows TF32     # rows whose name contains one of the texts
    python benchmarks/gpu.py --cpu                                # tiny networks on a processor, to try the program

The rivals are TensorFlow Probability (its Glow in a ``tf.function``) and Keras (``fit`` and ``predict``), on the same
GPU in the same run. They are in the environment of developers. The tasks:

* ``glow small`` and ``glow study``: a training step of the preset. ``glow study/12``: with 4 of the 48 steps of each
  level, since TensorFlow Probability needs many minutes to compile 48.
* ``resnet step``: a training step of ResNet50 with 200 classes, at 224 x 224.
* ``resnet embed``: images of 224 x 224 to vectors.

Every row runs in a separate process, one after the other. Each finds the memory of the GPU free, and a row that fails
does not end the table. A row has a share of the time that is left; at the end of its share it is cut. Float32 is not
rounded to TF32 unless the row says so; this holds for the rivals, too. Rows with several GPUs have a whole batch on
each GPU. All other rows use the first GPU.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from simtool.tensorflow import tensorflow_build

if TYPE_CHECKING:
    from benchmarks import glow_subjects, resnet_subjects
    from benchmarks.processes import Subject
else:
    import glow_subjects
    import resnet_subjects
    from processes import Subject

__all__ = [
    "Row",
    "compare",
    "environment_of",
    "main",
    "measure",
    "note_of",
    "rows_of",
    "shares",
    "summarize",
    "table_of",
]

CONSOLE = Console(stderr=True)
#: Parts of a batch in the rows with accumulated gradients.
PARTS = 2
#: A row with a smaller share of the time, in seconds, is not started.
LEAST_SHARE = 5.0
#: Steps that are measured at most, after one that warms up.
MOST_STEPS = 50
#: A row with fewer steps is marked as cut.
ENOUGH_STEPS = 5
#: Share of the time of a row after which no further steps begin.
MEASURED = 0.8
#: The advice of the commands of simtool without a GPU.
ADVICE = "; --device cpu computes on the processor"
#: File with the version of the driver.
DRIVER = Path("/proc/driver/nvidia/version")

Case = glow_subjects.Case | resnet_subjects.Case


@dataclass
class Row:
    """A subject with a task and a variant, and its measurements.

    Attributes:
        task: of the subjects that are compared.
        subject: a subject of ``glow_subjects.py`` or ``resnet_subjects.py``.
        variant: the precision and the switches, in words.
        case: the input of the subject.
        rival: whether it is no part of simtool.
        weight: the share of the time that it gets, relative to other rows.
        gpus: how many it uses.
        images_per_second: at the median time of a step.
        step_seconds: the median time of a step.
        spread: the distance of the quartiles of the time of a step, relative to the median.
        steps: how many steps were measured.
        first_seconds: time of the first step, with tracing and compilation.
        build_seconds: time until the network exists, without the start of Python.
        gpu_peak_bytes: the peak memory of the first GPU.
        peak_bytes: the peak memory of the process.
        times_rival: images per second, relative to the first rival of the task.
        note: the reason why the row is not complete; empty if it is.
    """

    task: str
    subject: str
    variant: str
    case: Case
    rival: bool = False
    weight: float = 1.0
    gpus: int = 1
    images_per_second: float | None = None
    step_seconds: float | None = None
    spread: float | None = None
    steps: int = 0
    first_seconds: float | None = None
    build_seconds: float | None = None
    gpu_peak_bytes: int | None = None
    peak_bytes: int | None = None
    times_rival: float | None = None
    note: str = ""
    seconds: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The task, the subject and the variant."""
        return f"{self.task}: {self.subject}, {self.variant}"


def rows_of(gpus: int, tiny: bool) -> list[Row]:
    """All rows, the most important first.

    Args:
        gpus: how many there are.
        tiny: small networks instead, which a processor computes in a moment.
    """
    flow, images = glow_subjects.Case, resnet_subjects.Case
    small = flow(64, 32, 4, 8, 128, "plain", "small")
    study = flow(128, 16, 6, 48, 400, "reversible", "study")
    part = flow(128, 16, 6, 4, 400, "plain")
    step, embed = images(224, 64), images(224, 64)
    if tiny:
        small, study, part = (flow(16, 4, 2, steps, 8, "plain") for steps in (1, 2, 1))
        step, embed = images(32, 2), images(32, 2)
    ours: list[tuple[str, str, Any]] = [
        ("glow small", "simtool", small),
        ("glow study", "simtool", study),
        ("glow study/12", "simtool", part),
        ("resnet step", "simtool training", step),
        ("resnet embed", "simtool", embed),
    ]
    rivals: list[tuple[str, str, Any, float]] = [
        ("resnet step", "Keras fit", step, 1.5),
        ("resnet embed", "Keras predict", embed, 1),
        ("glow small", "TensorFlow Probability", small, 3),
        ("glow study/12", "TensorFlow Probability", part, 3),
    ]
    exact: dict[str, Any] = {"tf32": False}
    trained = ours[:-1]
    rows = [Row(task, subject, "float32", replace(case, **exact)) for task, subject, case in ours]
    rows += [
        Row(task, subject, "float32", replace(case, **exact), rival=True, weight=weight)
        for task, subject, case, weight in rivals
    ]
    if not tiny:
        rows += [Row("resnet step", "simtool training", "TF32", replace(step, settings={"precision": "tf32"}))]
        rows += [Row("resnet step", "Keras fit", "TF32", replace(step, tf32=True), rival=True)]
    rounded = {"precision": "bfloat16"}
    rows += [Row(task, one, "bfloat16", replace(case, **exact, settings=rounded)) for task, one, case in trained]
    rows += [Row("resnet step", "Keras fit", "bfloat16", replace(step, **exact, settings=rounded), rival=True)]
    rows += [
        Row(task, one, "XLA", replace(case, **exact, settings={"xla": True}), weight=1.5)
        for task, one, case in (ours[0], ours[1], ours[3], ours[4])
    ]
    parts = {"accumulate": PARTS}
    rows += [
        Row(task, one, f"in {PARTS} parts", replace(case, **exact, settings=parts))
        for task, one, case in (ours[0], ours[1], ours[3])
    ]
    if gpus > 1:
        rows += [
            Row(
                task,
                subject,
                f"float32, {gpus} GPUs",
                replace(case, **exact, batch=case.batch * gpus),
                rival,
                1.5,
                gpus,
            )
            for task, subject, case, rival in (
                ("glow study", "simtool", study, False),
                ("resnet step", "simtool training", step, False),
                ("resnet step", "Keras fit", step, True),
            )
        ]
    return rows


def shares(rows: Sequence[Row], seconds: float) -> float:
    """The seconds of the first row, if all rows share the time that is left by their weights."""
    return seconds * rows[0].weight / sum(row.weight for row in rows)


def measure(row: Row, seconds: float, on_gpu: bool) -> None:
    """Measure a row in a separate process, which is killed after so many seconds."""
    started, batch = time.perf_counter(), row.case.batch
    glow = isinstance(row.case, glow_subjects.Case)
    program = "glow_subjects.py" if glow else "resnet_subjects.py"
    arguments = [row.subject, json.dumps(asdict(row.case))]
    subject = Subject(Path(sys.executable), program, arguments, environment_of(row.gpus if on_gpu else 0), seconds)
    first = subject.answer()
    row.first_seconds, row.build_seconds = first.get("first_seconds"), first.get("build_seconds")
    warm = False
    while not subject.failure and row.steps < MOST_STEPS:
        left = seconds * MEASURED - (time.perf_counter() - started)
        if warm and left < min(row.seconds or [0]):
            break
        answer = subject.ask("1" if not warm or row.steps < 3 else "5")
        if warm and answer:
            row.seconds += answer[0] if glow else [batch * second for second in answer]
            row.steps = len(row.seconds)
        warm = True
    if not subject.failure:
        peaks = subject.ask("peak")
        row.gpu_peak_bytes, row.peak_bytes = peaks.get("gpu_peak_bytes"), peaks.get("peak_bytes")
    subject.end()
    row.note = note_of(row, subject.failure, time.perf_counter() - started >= seconds, seconds)
    summarize(row)


def summarize(row: Row) -> None:
    """Median and spread of the steps of a row."""
    if row.seconds:
        row.step_seconds = statistics.median(row.seconds)
        row.images_per_second = row.case.batch / row.step_seconds
    if len(row.seconds) > 1 and row.step_seconds:
        first, _, third = statistics.quantiles(row.seconds, n=4)
        row.spread = (third - first) / row.step_seconds


def compare(rows: Sequence[Row]) -> None:
    """Set the speed of each row relative to the first rival of its task."""
    for row in rows:
        same = [other for other in rows if other.task == row.task and other.rival and other.images_per_second]
        if same and row.images_per_second:
            row.times_rival = row.images_per_second / (same[0].images_per_second or 1)


def table_of(rows: Sequence[Row]) -> Table:
    """The rows, in groups of one task."""
    table = Table(title="images per second of training steps and of embed", title_justify="left")
    for heading in ("task", "subject", "variant"):
        table.add_column(heading)
    for heading in ("batch", "images/s", "step", "spread", "times rival", "first step", "GPU memory"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    for task in dict.fromkeys(row.task for row in rows):
        for number, row in enumerate(one for one in rows if one.task == task):
            table.add_row(
                "" if number else task,
                row.subject,
                row.variant,
                str(row.case.batch),
                _shown(row.images_per_second, 1, "", ",.1f"),
                _shown(row.step_seconds, 1e3, " ms", ",.1f"),
                _shown(row.spread, 100, " %", ".0f"),
                _shown(row.times_rival, 1, "", ".2f"),
                _shown(row.first_seconds, 1, " s", ".1f"),
                _shown(row.gpu_peak_bytes, 1e-6, " MB", ",.0f"),
                row.note,
            )
        table.add_section()
    return table


def environment_of(gpus: int) -> dict[str, str]:
    """The environment of a process that sees so many of the GPUs that this process may use."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = given.split(",") if given else [str(number) for number in range(gpus)]
    return {**os.environ, "CUDA_VISIBLE_DEVICES": ",".join(names[:gpus]) if gpus else "-1"}


def note_of(row: Row, failure: str, late: bool, seconds: float) -> str:
    """The reason why a row is not complete; empty if it is."""
    cut = f"cut at {seconds:.0f} s, after {row.steps} steps"
    if failure and late:
        return cut
    if any(word in failure for word in ("ResourceExhausted", "OOM", "out of memory", "exit code -9")):
        return "not enough memory"
    if failure:
        return failure
    return cut if row.steps < ENOUGH_STEPS else ""


def _shown(value: float | None, factor: float, unit: str, form: str) -> str:
    return "" if value is None else f"{value * factor:{form}}{unit}"


def _checkup(device: str) -> dict[str, Any]:
    """The facts about this machine: the object of ``simtool doctor --json``, with versions of the driver and CUDA."""
    command = [sys.executable, "-m", "simtool", "doctor", "--device", device, "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if not found.stdout:
        raise SystemExit(found.stderr.strip())
    facts: dict[str, Any] = json.loads(found.stdout)
    build = tensorflow_build()
    facts["versions"] |= {"cuda": build.cuda, "cudnn": build.cudnn}
    facts["driver"]["version"] = DRIVER.read_text().splitlines()[0] if DRIVER.exists() else None
    return facts


def _heading(facts: dict[str, Any]) -> str:
    versions, driver = facts["versions"], facts["driver"]
    libraries = f"TensorFlow {versions['tensorflow']} (CUDA {versions['cuda']}, cuDNN {versions['cudnn']})"
    of_driver = f"driver {driver['version'] or 'of unknown version'}, up to CUDA {driver['cuda']}"
    return "\n".join(
        [
            f"device {facts['device']['name']}",
            f"{of_driver if driver['cuda'] else 'no driver'}; {libraries}; Keras {versions['keras']}",
        ]
    )


def main(
    rows: Annotated[list[str] | None, typer.Option(help="Rows whose name contains this; repeatable. [all]")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="The time of the whole table.")] = 285,
    cpu: Annotated[bool, typer.Option("--cpu", help="Tiny networks on the processor, to try the program.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write facts and rows here.")] = None,
) -> None:
    """Print a table of the speed of a GPU."""
    end = time.perf_counter() + seconds
    facts = _checkup("cpu" if cpu else "gpu")
    if facts["failure"]:
        reason = facts["failure"].removesuffix(ADVICE)
        CONSOLE.print(f"error: {reason}; --cpu tries tiny networks on the processor", soft_wrap=True, markup=False)
        raise typer.Exit(1)
    every = rows_of(facts["device"]["gpus"], cpu)
    chosen = [row for row in every if not rows or any(text in row.name for text in rows)]
    if not chosen:
        raise typer.BadParameter(f"no row contains {rows}; there are {'; '.join(row.name for row in every)}")
    out = Console(width=None if sys.stdout.isatty() else 160)
    out.print(_heading(facts), soft_wrap=True, markup=False, highlight=False)
    for number, row in enumerate(chosen):
        share = shares(chosen[number:], end - time.perf_counter())
        if share < LEAST_SHARE:
            row.note = "not measured: no time was left"
            continue
        CONSOLE.print(f"{row.name}, at most {share:.0f} s", highlight=False)
        measure(row, share, on_gpu=not cpu)
        compare(chosen)
        if json_file:
            content = {"facts": facts, "rows": [asdict(one) for one in chosen]}
            json_file.write_text(json.dumps(content, indent=1) + "\n")
    out.print(table_of(chosen))
    if short := [row.name for row in chosen if row.note.startswith(("cut", "not measured"))]:
        out.print(
            f"{len(short)} of {len(chosen)} rows were cut or not measured; --seconds gives more time", highlight=False
        )


if __name__ == "__main__":
    typer.run(main)
