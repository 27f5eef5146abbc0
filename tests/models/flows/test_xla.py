"""XLA compiles flows, in training and in embed, and changes rounding only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.config import FlowConfig, Mode
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.jet.config import JetConfig
from simtool.training.data import replica_batches, step_seed
from simtool.training.devices import open_devices
from simtool.training.optimizer import Optimizer
from simtool.training.settings import Settings
from simtool.training.step import Step, StepInputs
from tests.models.flows.glow.flows import images, trained

from simtool.models.flows.glow.flow import GlowFlow  # isort: skip - Keras after TensorFlow
from simtool.models.flows.glow.model import Glow  # isort: skip
from simtool.models.flows.jet.flow import JetFlow  # isort: skip
from simtool.models.flows.task import FlowTask  # isort: skip

#: Nine steps are a loop.
DEEP = GlowConfig(size=8, levels=1, steps=9, width=4)
JET = JetConfig(size=8, steps=2, patch=2, width=8, depth=1, heads=2, spatial_every=2)


@pytest.mark.slow
@pytest.mark.parametrize(("config", "mode"), [(DEEP, "reversible"), (JET, "recompute")])
def test_a_step_is_the_same_except_for_rounding(config: FlowConfig, mode: Mode) -> None:
    devices, settings = open_devices(), Settings(batch_size=4, optimizer="sgd", momentum=0)
    batch = {"image": np.random.default_rng(0).integers(0, 256, (4, *config.shape), np.uint8)}
    found = []
    for xla in (False, True):
        flow = GlowFlow(config, 1) if isinstance(config, GlowConfig) else JetFlow(config, 1)
        task = FlowTask(flow, named_preprocessing("study").adjusted(config.size), mode)
        task.initialize(iter([batch]))
        chosen = settings.changed(xla=xla)
        step = Step(task, Optimizer(task, chosen, devices), devices, chosen)
        parts = replica_batches(batch, devices, 4, fill=False)
        result = step.finish(step.start(parts, step_seed(0, "training", 0), StepInputs(0.01)))
        found.append((result, [variable.value.numpy() for variable in task.variables]))
    (plain, expected), (compiled, together) = found
    assert compiled.sums == pytest.approx(plain.sums, rel=1e-5)
    for one, other in zip(expected, together, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)


def test_vectors_are_the_same_except_for_rounding() -> None:
    config = GlowConfig(size=8, levels=2, steps=1, width=4)
    glow = Glow(named_preprocessing("study").adjusted(8), trained(config))
    layers = ["latent", "activations"]
    shown: Any = images(config, 3).astype(np.float32).clip(-0.5, 0.5)
    expected, found = glow.embed_layers(shown, layers), glow.with_xla().embed_layers(shown, layers)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * np.abs(one).max())


def test_pixels_have_no_xla() -> None:
    from simtool import stages

    with pytest.raises(UsageError, match=r"--xla is for a model folder, a network of keras\.applications"):
        stages.embed("images.parquet", "pixels", xla=True)
