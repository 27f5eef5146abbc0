"""Time, memory and results of a step of training or of ``embed`` by its computation: parts, XLA, precision.

    python benchmarks/computation.py [--case small] [--json FILE] [--turns N] [--only NAME ...]

Each computation runs in a separate process, with synthetic images. ``naive`` adds up the gradients of all parts in one
``tf.function``, as a plain loop would. The peak is that of the whole process, with TensorFlow. The difference is the
largest difference of a weight after the steps, as a share of the largest change of a weight in the first computation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.processes import memory, say
else:
    from processes import memory, say

#: A kind of network, a batch size, and the settings of the training.
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "small": ("glow", 32, {}),
    "small-reversible": ("glow", 32, {"mode": "reversible"}),
    "jet": ("jet", 16, {}),
    "resnet20": ("classifier", 64, {"architecture": "ResNet20", "size": 48}),
    "resnet50": ("classifier", 16, {"architecture": "ResNet50", "size": 64}),
    "embed-glow": ("embed", 16, {"flow": True}),
    "embed-resnet50": ("embed", 32, {"architecture": "ResNet50", "size": 64}),
}
#: Computations by name: whether the plain loop computes them, and their settings.
COMPUTATIONS: dict[str, tuple[bool, dict[str, Any]]] = {
    "whole": (False, {}),
    **{f"{parts} parts": (False, {"accumulate": parts}) for parts in (2, 4, 8)},
    "XLA": (False, {"xla": True}),
    "bfloat16": (False, {"precision": "bfloat16"}),
    "bfloat16 XLA": (False, {"precision": "bfloat16", "xla": True}),
    **{f"naive {parts} parts": (True, {"accumulate": parts}) for parts in (2, 4, 8)},
}


def measure(case: str, name: str, turns: int, weights: Path) -> dict[str, Any]:
    """Take steps, and write the weights before and after them."""
    from simtool.training.devices import open_devices

    kind, batch, more = CASES[case]
    devices = open_devices(halves=kind in ("glow", "jet"))
    if kind == "embed":
        return embed(name, batch, more, turns, weights)
    from simtool.training import data, optimizer, settings, step

    naive, changes = COMPUTATIONS[name]
    chosen = settings.Settings(batch_size=batch, clip_norm=1).changed(**changes)
    task, size = classifier(more, chosen) if kind == "classifier" else flow(kind, more, chosen)
    random = np.random.default_rng(0)
    batches: dict[str, Any] = {
        "image": random.integers(0, 256, (batch, size, size, 3), dtype=np.uint8),
        "label": (np.arange(batch) % 10).astype(np.int32),
    }
    task.initialize(data.in_parts(iter([batches]), chosen.accumulate))
    before = [variable.value.numpy() for variable in task.variables]
    rule = optimizer.Optimizer(task, chosen, devices)
    train = step.Step(task, rule, devices, chosen)

    def ours(number: int) -> float:
        parts = data.replica_batches(batches, devices, batch, False, chosen.accumulate)
        seed = data.step_seed(0, "training", number)
        return train.finish(train.start(parts, seed, step.StepInputs(1e-4))).sums["loss"] / batch

    take = plain(task, rule, chosen, batches) if naive else ours
    start = time.perf_counter()
    losses = [take(0)]
    first, seconds = time.perf_counter() - start, []
    for number in range(1, turns + 1):
        start = time.perf_counter()
        losses.append(take(number))
        seconds.append(time.perf_counter() - start)
    after = [variable.value.numpy() for variable in task.variables]
    np.savez(weights, *(new - old for old, new in zip(before, after, strict=True)))
    return {
        "computation": name,
        "first_seconds": first,
        "step_seconds": float(np.median(seconds)),
        "peak_bytes": memory("VmHWM"),
        "loss": losses[-1],
    }


def flow(kind: str, more: dict[str, Any], settings: Any) -> tuple[Any, int]:
    """The Glow of the preset ``small``, or the Jet of the preset ``tiny``."""
    from dataclasses import replace

    from simtool.images.preprocessing import named_preprocessing
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.glow.presets import PRESETS
    from simtool.models.flows.jet.flow import JetFlow
    from simtool.models.flows.jet.presets import PRESETS as JETS
    from simtool.models.flows.task import FlowTask

    config: Any = PRESETS["small"].flow if kind == "glow" else JETS["tiny"].flow
    config = replace(config, compute_dtype=settings.precision)
    made = GlowFlow(config) if kind == "glow" else JetFlow(config)
    return FlowTask(made, named_preprocessing("study").adjusted(config.size), **more), config.size


def embed(name: str, batch: int, more: dict[str, Any], turns: int, weights: Path) -> dict[str, Any]:
    """Embed batches with an untrained network, and write the vectors."""
    xla = COMPUTATIONS[name][1].get("xla", False)
    if "flow" in more:
        from simtool.images.preprocessing import named_preprocessing
        from simtool.models.flows.glow.flow import GlowFlow
        from simtool.models.flows.glow.model import Glow
        from simtool.models.flows.glow.presets import PRESETS

        config = PRESETS["small"].flow
        preprocessing = named_preprocessing("study").adjusted(config.size)
        model: Any = Glow(preprocessing, GlowFlow(config))
    else:
        from simtool.models.classifier.application import untrained_application

        model = untrained_application(more["architecture"], more["size"], None, 0)
    model = model.with_xla() if xla else model
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (batch, *model.preprocessing.shape)).astype(np.float32)
    seconds = []
    for _ in range(turns + 1):
        start = time.perf_counter()
        vectors = model.embed(images)
        seconds.append(time.perf_counter() - start)
    np.savez(weights, vectors)
    found = {"first_seconds": seconds[0], "step_seconds": float(np.median(seconds[1:]))}
    return {"computation": name, **found, "peak_bytes": memory("VmHWM")}


def classifier(more: dict[str, Any], settings: Any) -> tuple[Any, int]:
    """A classifier of ten classes."""
    import keras

    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.network import build
    from simtool.models.classifier.task import Classification
    from simtool.training.optimizer import layer_precision

    config = ClassifierConfig(**more, augmentation="flip")
    keras.utils.set_random_seed(0)
    with layer_precision(settings.precision):
        return Classification(build(config, 10), config), config.size


def plain(task: Any, rule: Any, settings: Any, batch: dict[str, Any]) -> Callable[[int], float]:
    """A step that adds up gradients in one graph, without an order of the parts."""
    import tensorflow as tf

    from simtool.training import data

    images, labels = tf.constant(batch["image"]), tf.constant(batch["label"])
    length = settings.batch_size // settings.accumulate
    weights = [variable.value for variable in task.variables]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def train(seed: Any) -> Any:
        total, loss = [tf.zeros(weight.shape) for weight in weights], 0.0
        for start in range(0, settings.batch_size, length):
            rows = tf.range(start, start + length)
            part = {"image": images[start : start + length], "label": labels[start : start + length]}
            with tf.GradientTape() as tape:
                draws = data.Draws(seed, settings.batch_size, rows)
                losses, _ = task.loss(task.prepared(part, draws), draws)
                objective = tf.reduce_sum(losses) / settings.batch_size
            loss += objective
            total = [one + other for one, other in zip(total, tape.gradient(objective, weights), strict=True)]
        total, _ = tf.clip_by_global_norm(total, settings.clip_norm)
        rule.apply(total, 1.0, tf.constant(1e-4), tf.constant(0.0))
        return loss

    return lambda number: float(train(tf.constant(data.step_seed(0, "training", number))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", choices=CASES, default="small")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(COMPUTATIONS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        say(measure(arguments.case, arguments.one, arguments.turns, arguments.weights))
        return
    rows, changes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            weights = Path(folder, "weights.npz")
            command = [sys.executable, __file__, "--case", arguments.case, "--turns", str(arguments.turns)]
            done = subprocess.run(
                [*command, "--one", name, "--weights", str(weights)], stdout=subprocess.PIPE, text=True, check=False
            )
            if done.returncode:
                rows.append({"computation": name, "failure": done.returncode})
                continue
            row = json.loads(done.stdout.splitlines()[-1])
            with np.load(weights) as file:
                changes.append([file[array] for array in file.files])
            most = max(np.abs(one).max() for one in changes[0])
            apart = max(np.abs(one - other).max() for one, other in zip(changes[0], changes[-1], strict=True))
            rows.append({**row, "difference": float(apart / most)})
            sys.stdout.write(f"{rows[-1]}\n")
            sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps({"case": arguments.case, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
