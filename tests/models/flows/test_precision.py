"""A flow whose networks compute in 16 bits: all that passes between them, its density and its inverse stay float32."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from simtool import stages
from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.glow.config import GlowConfig
from simtool.training.data import replica_batches, step_seed
from simtool.training.devices import open_devices
from simtool.training.optimizer import Optimizer
from simtool.training.settings import Settings
from simtool.training.state import LossScale
from simtool.training.step import Step, StepInputs
from tests.models.flows.glow.flows import images, trained

from simtool.models.flows.glow.flow import GlowFlow  # isort: skip - Keras after TensorFlow
from simtool.models.flows.task import FlowTask  # isort: skip

Half = Literal["bfloat16", "float16"]
CONFIG = GlowConfig(size=8, levels=2, steps=2, width=8)
#: Relative rounding errors: 8 and 11 significant bits.
DIGITS: dict[Half, float] = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_only_the_networks_round(precision: Half) -> None:
    exact = trained(CONFIG)
    flow = GlowFlow.from_arrays(replace(CONFIG, compute_dtype=precision), exact.to_arrays())
    x = images(CONFIG, 4).astype(np.float32)
    expected, found = exact.encode(x), flow.encode(x)
    assert found.log_det.dtype == found.log_prob.dtype == found.latents[0].dtype == "float32"
    apart = np.abs(found.log_prob.numpy() - expected.log_prob.numpy()) / CONFIG.dimension
    assert 0 < apart.max() < 4 * DIGITS[precision]
    restored = flow.decode(found.standardized).numpy()
    # The networks see nearly the same input on both ways; the last digit of some inputs is rounded to the other side.
    assert np.abs(restored - x).max() < DIGITS[precision]
    assert np.median(np.abs(restored - x)) < 1e-6


def losses(precision: Literal["float32", "bfloat16", "float16"], steps: int = 5) -> list[float]:
    devices, settings = open_devices(), Settings(batch_size=8, learning_rate=0.01, clip_norm=1, precision=precision)
    flow = GlowFlow(replace(CONFIG, compute_dtype=precision), 1)
    task = FlowTask(flow, named_preprocessing("study").adjusted(8), "reversible")
    batch = {"image": (255 * (images(CONFIG, 8).clip(-0.5, 0.5) + 0.5)).astype(np.uint8)}
    task.initialize(iter([batch]))
    step = Step(task, Optimizer(task, settings, devices), devices, settings)
    found = []
    for number in range(steps):
        inputs = StepInputs(0.01, LossScale.of(precision).value)
        parts = replica_batches(batch, devices, 8, fill=False)
        result = step.finish(step.start(parts, step_seed(0, "training", number), inputs))
        assert result.finite
        found.append(result.sums["loss"] / 8)
    assert {variable.dtype for variable in task.variables} == {"float32"}
    return found


def test_a_training_follows_that_of_float32() -> None:
    expected = losses("float32")
    assert expected[-1] < expected[0] - 0.1
    for precision, digits in DIGITS.items():
        assert losses(precision) == pytest.approx(expected, abs=4 * digits)


def test_tf32_is_refused_for_a_flow() -> None:
    with pytest.raises(UsageError, match="--precision tf32 rounds all of a flow, and its inverse needs more digits"):
        stages.plan_glow("images.parquet", preset="tiny", precision="tf32")


def test_an_unknown_precision_is_refused_with_those_of_flows() -> None:
    with pytest.raises(UsageError, match=r"^--precision is one of float32, bfloat16, float16, not fp16"):
        stages.plan_glow("images.parquet", preset="tiny", precision="fp16")
