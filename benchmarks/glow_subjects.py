"""The subjects of benchmarks/glow.py: one training step of a Glow, each subject in a separate process.

    python benchmarks/glow_subjects.py SUBJECT '{"size": 32, "batch": 16, "levels": 3, "steps": 8, "width": 128}'

The first line of standard output is a JSON object with the time of the first step, which includes building and tracing.
After that, each line of standard input is a request, so that the steps of several subjects can be interleaved. A number
requests that many steps. The answer is two JSON lists: wall-clock seconds and CPU seconds of each step. The line
``peak`` requests the memory use.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.processes import fix_tf32, gpu_peak, memory, say, serve
    from benchmarks.training_step import LEARNING_RATE, simtool_step
else:
    from processes import fix_tf32, gpu_peak, memory, say, serve
    from training_step import LEARNING_RATE, simtool_step

__all__ = ["SUBJECTS", "Case", "Step"]


@dataclass(frozen=True)
class Case:
    """A flow and a batch.

    Attributes:
        size: height and width of the images.
        batch: images per step.
        levels: number of levels L.
        steps: steps per level K.
        width: hidden channels of the coupling networks.
        mode: backpropagation mode, for subjects with several modes.
        preset: a preset of simtool that replaces the values above.
        settings: of simtool's training, in place of those of the preset.
        tf32: whether GPUs round float32 to TF32; None for the choice of the subject.
    """

    size: int = 32
    batch: int = 16
    levels: int = 3
    steps: int = 8
    width: int = 128
    mode: Any = ""
    preset: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    tf32: bool | None = None

    def images(self) -> NDArray[np.float32]:
        """Pink noise, (batch, size, size, 3), mostly between -1/2 and 1/2; neighboring pixels correlate."""
        frequency = np.hypot(np.fft.fftfreq(self.size)[:, None], np.fft.rfftfreq(self.size)[None])
        spectrum = np.random.default_rng(0).standard_normal((2, self.batch, 3, *frequency.shape))
        waves = (spectrum[0] + 1j * spectrum[1]) / np.maximum(frequency, 1 / self.size)
        images = np.moveaxis(np.fft.irfft2(waves, s=(self.size, self.size)), 1, -1)
        scaled: NDArray[np.float32] = (images / images.std() / 4).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Step:
    """One training step (forward, backward, Adam) of a model that is built and initialised from data.

    Attributes:
        run: takes one step and returns the loss.
        parameters: number of trained parameters.
    """

    run: Callable[[], float]
    parameters: int


def simtool(case: Case) -> Step:
    """simtool: the step of ``simtool train-glow`` with dequantization, mirroring and the gradient norm."""
    from simtool.training.devices import open_devices

    devices = open_devices(halves=True)
    from simtool.images.preprocessing import named_preprocessing
    from simtool.models.flows.glow.config import GlowConfig
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.glow.presets import PRESETS
    from simtool.models.flows.task import FlowTask
    from simtool.training.settings import Settings

    own = Settings(batch_size=case.batch, clip_norm=1)
    config = GlowConfig(case.size, case.levels, case.steps, case.width)
    if case.preset:
        config, own = PRESETS[case.preset].flow, PRESETS[case.preset].settings.changed(batch_size=case.batch)
    own = own.changed(**case.settings)
    rounded: Any = own.precision
    config = replace(config, compute_dtype=rounded)
    images = np.clip((replace(case, size=config.size).images() + 0.5) * 255, 0, 255).astype(np.uint8)
    with devices.scope():
        task = FlowTask(GlowFlow(config), named_preprocessing("study"), case.mode)
    task.initialize(iter([{"image": images}]))
    run = simtool_step(task, own, devices, {"image": images})
    return Step(run, sum(int(np.prod(variable.shape)) for variable in task.variables))


def tensorflow_probability(case: Case) -> Step:
    """TensorFlow Probability: its Glow in a ``tf.function``."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tf_keras

    bijectors = tfp.bijectors
    glow = bijectors.Glow(
        output_shape=(case.size, case.size, 3),
        num_glow_blocks=case.levels,
        num_steps_per_block=case.steps,
        coupling_bijector_fn=lambda shape: bijectors.GlowDefaultNetwork(shape, num_hidden=case.width),
        exit_bijector_fn=bijectors.GlowDefaultExitNetwork,
    )
    base = tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), case.size**2 * 3)
    flow = tfp.distributions.TransformedDistribution(base, glow)
    images, optimizer = tf.constant(case.images()), tf_keras.optimizers.Adam(LEARNING_RATE)

    @tf.function  # type: ignore[untyped-decorator]
    def train(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(batch)) / (case.size**2 * 3)
        gradients = tape.gradient(loss, glow.trainable_variables)
        optimizer.apply_gradients(zip(gradients, glow.trainable_variables, strict=True))
        return loss

    return Step(lambda: float(train(images)), sum(int(np.prod(v.shape)) for v in glow.trainable_variables))


def normflows(case: Case) -> Step:
    """normflows: its multiscale Glow in PyTorch."""
    import normflows as nf
    import torch

    torch.manual_seed(0)
    bases: list[Any] = []
    flows: list[list[Any]] = []
    merges: list[Any] = []
    channels = 3
    for level in range(case.levels):
        channels *= 4
        blocks = [nf.flows.GlowBlock(channels, case.width) for _ in range(case.steps)]
        flows.insert(0, [*blocks, nf.flows.Squeeze()])
        size, last = case.size >> (level + 1), level == case.levels - 1
        if not last:
            merges.insert(0, nf.flows.Merge())
            channels //= 2
        bases.insert(0, nf.distributions.DiagGaussian((channels, size, size), trainable=False))
    flow = nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
    images = torch.from_numpy(case.images().transpose(0, 3, 1, 2).copy())
    optimizer = torch.optim.Adam(flow.parameters(), LEARNING_RATE)

    def train() -> float:
        optimizer.zero_grad()
        loss = flow.forward_kld(images) / (case.size**2 * 3)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return Step(train, sum(parameter.numel() for parameter in flow.parameters()))


SUBJECTS: dict[str, Callable[[Case], Step]] = {
    "simtool": simtool,
    "TensorFlow Probability": tensorflow_probability,
    "normflows": normflows,
}


def timed(step: Step) -> tuple[float, float]:
    """Wall-clock seconds and CPU seconds of a step."""
    started, busy = time.perf_counter(), time.process_time()
    if not np.isfinite(step.run()):
        raise ArithmeticError("the loss is not finite")
    return time.perf_counter() - started, time.process_time() - busy


def main(subject: str, case: Case) -> None:
    if case.tf32 is not None:
        fix_tf32(case.tf32)
    started = time.perf_counter()
    step = SUBJECTS[subject](case)
    built, before = time.perf_counter() - started, memory("VmRSS")
    say({"build_seconds": built, "first_seconds": timed(step)[0], "parameters": step.parameters})
    serve(
        take=lambda steps: list(zip(*(timed(step) for _ in range(steps)), strict=True)),
        peak=lambda: {
            "peak_bytes": memory("VmHWM"),
            "above_start_bytes": memory("VmHWM") - before,
            "gpu_peak_bytes": gpu_peak(),
        },
    )


if __name__ == "__main__":
    main(sys.argv[1], Case(**json.loads(sys.argv[2])))
