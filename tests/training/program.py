"""Trainings in separate processes: killed many times, on several devices, by several workers.

``python -m tests.training.program killed|devices|workers|full FOLDER`` prints their exit codes as JSON. Each
training is a forked process; TensorFlow is imported once for all of them, but does its first work in the child.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simtool.device import processor
from simtool.system.cuda import Gpu
from simtool.system.space import SpaceError
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import read_arrays
from simtool.training.checkpoints import Checkpoints
from simtool.training.data import Batch
from simtool.training.devices import Devices, Worker, open_devices
from simtool.training.loop import train
from simtool.training.outcome import EXIT_CODE, Preempted, TrainingError
from simtool.training.settings import Settings
from tests.training.tiny import Classifier, TinyData, weights

KILLS = 10
SIGNALS = ("SIGKILL", "SIGTERM", "SIGUSR1")
ALONE = Settings(
    epochs=12, batch_size=8, learning_rate=0.02, ema=0.8, schedule="cosine", clip_norm=1.0, checkpoint_steps=3
)
SHARED = Settings(
    epochs=9, batch_size=8, optimizer="sgd", learning_rate=0.05, clip_norm=0.5, weight_decay=0.01, ema=0.5
)


class Blow(NamedTuple):
    """A signal that a process sends to itself before one of the batches that it asks for."""

    number: int
    batch: int


class Deadly(TinyData):
    """Data with a blow, and with a step whose images are not numbers."""

    def __init__(self, blow: Blow | None) -> None:
        super().__init__(examples=44, bad_steps=(13,))
        self.blow, self.asked = blow, 0

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        for batch in super().batches(epoch, start, worker):
            self.asked += 1
            if self.blow and self.asked == self.blow.batch:
                os.kill(os.getpid(), self.blow.number)
            yield batch


def run(
    folder: Path, settings: Settings, devices: Devices, blow: Blow | None = None, normalize: bool = False
) -> Classifier:
    """Train, and leave the weights to keep in the folder."""
    with devices.scope():
        task = Classifier(normalize)
    result = train(task, Deadly(blow), settings, folder, devices)
    if devices.chief:
        np.savez(folder / "weights.npz", *weights(task))
        (folder / "history.json").write_text(json.dumps(result.history))
    return task


def start(work: Callable[[], object]) -> int:
    """Do something in a forked process; a training's error goes to standard output as JSON."""
    if process := os.fork():
        return process
    code = 1
    try:
        work()
        code = 0
    except Preempted:
        code = EXIT_CODE
    except (TrainingError, SpaceError, OSError) as failure:
        code = getattr(failure, "exit_code", 1)
        os.write(1, f"{failure}\n".encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def end(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed(folder: Path) -> dict[str, list[int]]:
    """Train without a kill; then, for each signal, with a kill in each of ten runs and once more to the end."""
    chance = random.Random(1)

    def once(name: str, blow: Blow | None = None) -> int:
        return end(start(lambda: run(folder / name, ALONE, open_devices(), blow, normalize=True)))

    ends = {"whole": [once("whole")]}
    for name in SIGNALS:
        blows = [Blow(signal.Signals[name], chance.randint(4, 9)) for _ in range(KILLS)]
        ends[name] = [once(name, blow) for blow in [*blows, None]]
    return ends


def devices(folder: Path) -> dict[str, list[int]]:
    """Train on one, two and three devices of this machine, on two in parts, and on two with batch normalization."""

    def on(count: int) -> None:
        run(folder / str(count), SHARED, opened(count))

    def divided() -> None:
        run(folder / "divided", SHARED.changed(accumulate=2), opened(2))

    def normalized() -> None:
        task = run(folder / "normalized", SHARED.changed(epochs=2, accumulate=2), opened(2), normalize=True)
        copies = [[part.numpy() for part in variable.value.values] for variable in [*task.variables, *task.state]]
        assert len(task.state) == 2
        assert all(np.array_equal(*pair) for pair in copies)

    def opened(count: int) -> Devices:
        tf = load_tensorflow()
        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)
        names = [f"CPU:{index}" for index in range(count)]
        return Devices(tf.distribute.MirroredStrategy(names), replicas=count) if count > 1 else open_devices()

    codes = {str(count): [end(start(lambda: on(count)))] for count in (1, 2, 3)}  # noqa: B023 - called at once
    return {**codes, "divided": [end(start(divided))], "normalized": [end(start(normalized))]}


def workers(folder: Path) -> dict[str, list[int]]:
    """Train as one process; then in parts as two workers: one is asked to stop, then killed, then left alone.

    If the stand-ins are loaded, the second worker is on another machine: its clock is ten minutes ahead. It sees the
    folder with a delay, and at first as it was before the last run. The last two workers do not train, since they say
    that they have different numbers of GPUs.
    """
    two, before = folder / "two", folder / "before"

    def worker(index: int, addresses: list[str], blow: Blow | None, gpus: int) -> None:
        task = {"type": "worker", "index": index}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        if index:
            os.environ.update(CLOCK_AHEAD="600", LATE_UNDER=str(two), LATE_SECONDS="2", LATE_FIRST=str(before))
        device = replace(processor(), gpus=(Gpu("stand-in", 0),) * gpus) if index and gpus else None
        run(two, SHARED.changed(accumulate=2), open_devices(device), blow if index else None)

    def together(blow: Blow | None, gpus: int = 0) -> list[int]:
        addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
        begin = [partial(worker, index, addresses, blow, gpus) for index in range(2)]
        return [end(process) for process in [start(work) for work in begin]]

    ends = {
        "one": [end(start(lambda: run(folder / "one", SHARED, open_devices())))],
        "asked": together(Blow(signal.SIGUSR1, 9)),
    }
    shutil.copytree(two, before)
    return {
        **ends,
        "killed": together(Blow(signal.SIGKILL, 15)),
        "left": together(None),
        "unequal": together(None, gpus=2),
    }


def full(folder: Path) -> dict[str, list[int]]:
    """Train on a small disk, which is full at the second checkpoint, then at the last one, then at none."""
    disk, one = folder / "disk", folder / "whole" / "training" / "checkpoints"
    ends = {"whole": [end(start(lambda: run(folder / "whole", ALONE, open_devices())))], "full": []}
    size = max(file.stat().st_size for file in one.iterdir())
    for room in (1.5, 3.5, None):
        ballast = disk / "ballast"
        ballast.unlink(missing_ok=True)
        if room:
            free = shutil.disk_usage(disk).free - sum(file.stat().st_size for file in disk.rglob("step-*.npz"))
            ballast.write_bytes(bytes(max(0, int(free - room * size))))
        ends["full"].append(end(start(lambda: run(disk / "full", ALONE, open_devices()))))
        for file in Checkpoints(disk / "full" / "training" / "checkpoints").files():
            assert dict(read_arrays(file))
    shutil.copytree(disk / "full", folder / "full")
    return ends


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    import keras  # noqa: F401 - once for all children

    ends = {"killed": killed, "devices": devices, "workers": workers, "full": full}[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(json.dumps(ends) + "\n")
