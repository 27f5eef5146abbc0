"""Compare a training step on two workers with one process: seconds, and the share of communication.

    python benchmarks/nodes.py --json nodes.json
    srun --nodes=2 --ntasks-per-node=1 python benchmarks/nodes.py --cases resnet50 --json nodes.json

On one machine, each worker is a process with its own core, and workers communicate over the loopback interface. In a
SLURM job, the tasks of ``srun`` are the workers.

A case is measured on one process with the whole batch, on one process with half of the batch, and on two workers that
share the batch. Communication is estimated in two ways: the time to exchange as many values as the gradients have, and
the difference between the step of two workers and the step of one process with half of the batch.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.processes import memory
    from simtool.training.devices import Devices
    from simtool.training.settings import Settings
    from simtool.training.task import Task
else:
    from processes import memory

CONSOLE = Console(stderr=True)
#: The image side and the batch size of each case.
CASES = {"glow": (32, 16), "resnet20": (48, 32), "resnet50": (64, 16)}
WARM_UP = 2


@dataclass
class Row:
    """The measurements of one case.

    Attributes:
        subject: number of workers and their batch size.
        seconds: median time of a step.
        exchange_seconds: time to sum the gradients over the workers, without computing them.
        exchanged_bytes: bytes that each worker exchanges.
        peak_bytes: peak memory of the first process.
    """

    case: str
    subject: str
    workers: int
    batch: int
    seconds: float
    exchange_seconds: float
    exchanged_bytes: int
    peak_bytes: int


def glow(size: int) -> tuple[Callable[[], Task], Settings, dict[str, Any]]:
    """A flow of 3 levels with 8 steps of width 128."""
    from simtool.images.preprocessing import named_preprocessing
    from simtool.models.flows.glow.config import GlowConfig
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.task import FlowTask
    from simtool.training.settings import Settings

    def make() -> Task:
        return FlowTask(GlowFlow(GlowConfig(size, 3, 8, 128)), named_preprocessing("study"))

    return make, Settings(clip_norm=1), {}


def classifier(architecture: str, size: int) -> tuple[Callable[[], Task], Settings, dict[str, Any]]:
    """A classifier of 200 classes. Its batch statistics include the images of all workers."""
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.network import build
    from simtool.models.classifier.task import Classification
    from simtool.training.settings import Settings

    config = ClassifierConfig(architecture, size=size, augmentation="flip")
    return lambda: Classification(build(config, 200), config), Settings(), {"label": np.arange(200, dtype=np.int32)}


def measure(case: str, batch: int, turns: int) -> Row:
    """Take steps as one worker; environment variables describe the group of workers."""
    from simtool.training.devices import open_devices

    devices = open_devices()
    from simtool.training import data, optimizer, step

    size = CASES[case][0]
    make, own, more = glow(size) if case == "glow" else classifier(f"ResNet{case[6:]}", size)
    settings = own.changed(batch_size=batch)
    worker = devices.worker
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    mine = {"image": images, **{name: values[:batch] for name, values in more.items()}}
    mine = {name: values[worker.index :: worker.count] for name, values in mine.items()}
    with devices.scope():
        task = make()
    task.initialize(iter([{"image": images}]))
    train = step.Step(task, optimizer.Optimizer(task, settings, devices), devices, settings)
    parts, seed = data.replica_batches(mine, devices, batch, fill=False), np.zeros(2, np.int32)
    seconds = median(lambda: train.finish(train.start(parts, seed, step.StepInputs(1e-4))), turns)
    exchange = median(exchanger(task, devices), turns) if devices.replicas > 1 else 0.0
    devices.barrier()
    exchanged = sum(4 * int(np.prod(variable.shape)) for variable in task.variables) if worker.count > 1 else 0
    subject = f"{worker.count} x {batch // worker.count} images"
    row = Row(case, subject, worker.count, batch, seconds, exchange, exchanged, memory("VmHWM"))
    devices.shutdown_barrier()
    return row if devices.chief else sys.exit(0)


def exchanger(task: Task, devices: Devices) -> Callable[[], Any]:
    """A function that sums arrays of the same shapes as the gradients over all workers."""
    import tensorflow as tf

    def add() -> Any:
        values = [tf.identity(variable.value) for variable in task.variables]
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
        return tf.add_n([tf.reduce_sum(value) for value in total])

    graph = tf.function(lambda: devices.strategy.run(add), autograph=False)
    return lambda: float(devices.strategy.experimental_local_results(graph())[0])


def median(work: Callable[[], Any], turns: int) -> float:
    """Seconds of a call, after a few warm-up calls."""
    seconds = []
    for _ in range(WARM_UP + turns):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[WARM_UP:])


def alone(case: str, workers: int, batch: int, turns: int) -> Row:
    """Measure in processes on this machine, each with its own core."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(create_server(("127.0.0.1", 0))) for _ in range(workers)]
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    processes = []
    for index, core in zip(range(workers), sorted(os.sched_getaffinity(0)), strict=False):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        told = {"TF_CONFIG": json.dumps(cluster)} if workers > 1 else {}
        command = ["taskset", "--cpu-list", str(core), sys.executable, __file__, "--worker"]
        options = ["--cases", case, "--batch", str(batch), "--turns", str(turns)]
        environment = {**os.environ, **told, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
        processes.append(subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True))
    answers = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"{case}: a worker has failed")
    return Row(**json.loads(answers[0].splitlines()[-1]))


def table_of(rows: list[Row]) -> Table:
    table = Table("case", "workers x images", "step", "exchange alone", "above half a batch", "bytes exchanged", "peak")
    for row in rows:
        halves = [one for one in rows if (one.case, one.workers, 2 * one.batch) == (row.case, 1, row.batch)]
        shares = ["", ""]
        if row.workers > 1:
            shares[0] = f"{1e3 * row.exchange_seconds:.1f} ms, {row.exchange_seconds / row.seconds:.0%}"
            shares[1] = f"{1 - halves[0].seconds / row.seconds:.0%}" if halves else ""
        size = f"{row.exchanged_bytes / 1e6:.1f} MB" if row.exchanged_bytes else ""
        table.add_row(
            row.case, row.subject, f"{1e3 * row.seconds:.0f} ms", *shares, size, f"{row.peak_bytes / 1e6:,.0f} MB"
        )
    return table


def main(
    cases: Annotated[list[str] | None, typer.Option(help=f"{', '.join(CASES)}; repeatable. [all]")] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size over all workers. [the case's]")] = None,
    turns: Annotated[int, typer.Option(min=1)] = 10,
    worker: Annotated[
        bool, typer.Option("--worker", help="Measure in this process, and print a line of JSON.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Compare a training step on two workers with one process."""
    rows: list[Row] = []
    in_job = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    for case in cases or CASES:
        images = batch or CASES[case][1]
        if worker or in_job:
            rows.append(measure(case, images, turns))
            if worker:
                sys.stdout.write(json.dumps(asdict(rows[0])) + "\n")
                return
        else:
            rows += [
                alone(case, workers, size, turns) for workers, size in ((1, images), (1, images // 2), (2, images))
            ]
    CONSOLE.print(table_of(rows))
    if json_file:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
