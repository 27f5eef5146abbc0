from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.glow.config import GlowConfig
from simtool.training.data import Draws
from simtool.training.history import CRITERIA
from simtool.training.task import Unhealthy
from tests.models.flows.glow.flows import one_step, tf, trained

from simtool.models.flows.glow import step  # isort: skip - Keras after TensorFlow
from simtool.models.flows.glow.flow import GlowFlow  # isort: skip
from simtool.models.flows.task import FlowTask  # isort: skip

CONFIG = GlowConfig(size=8, levels=2, steps=1, width=4, bits=6)
RECIPE = named_preprocessing("study").adjusted(CONFIG.size)


def batch(count: int, seed: int = 0) -> dict[str, Any]:
    return {"image": np.random.default_rng(seed).integers(0, 256, (count, *CONFIG.shape), np.uint8)}


def draws(count: int, seed: int = 1) -> Draws:
    return Draws(tf.constant([seed, 2]), count, tf.range(count))


def measured(task: FlowTask, images: dict[str, Any], given: Draws) -> tuple[Any, dict[str, Any]]:
    return task.loss(task.prepared(images, given), given)


def test_the_metric_is_the_density_of_dequantized_bytes_in_bits() -> None:
    flow, given = trained(CONFIG), draws(3)
    found = FlowTask(flow, RECIPE).evaluate(batch(3), given)
    noise = given.uniform(CONFIG.shape).numpy()
    x = ((batch(3)["image"] // 4) + noise) / 64 - 0.5  # 6 bits
    nats = flow.encode(x.astype(np.float32)).log_prob.numpy() / CONFIG.dimension
    np.testing.assert_allclose(found["nats_per_dim"], -nats, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["bits_per_dim"], 6 - nats / math.log(2), rtol=1e-4)


def test_training_mirrors_half_of_the_images() -> None:
    flow, count = trained(CONFIG), 200
    given, images = draws(count), batch(count)
    mirrored = given.fold(1).uniform(()).numpy() < 0.5
    assert 0.35 < mirrored.mean() < 0.65
    shown = np.where(mirrored[:, None, None, None], images["image"][:, :, ::-1], images["image"])
    loss, _ = measured(FlowTask(flow, RECIPE), images, given)
    expected = FlowTask(flow, RECIPE).evaluate({"image": shown}, given)["bits_per_dim"]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    plain, _ = measured(FlowTask(flow, RECIPE, flips=False), images, given)
    np.testing.assert_allclose(plain, FlowTask(flow, RECIPE).evaluate(images, given)["bits_per_dim"], rtol=1e-4)


def test_initialisation_uses_the_given_number_of_images() -> None:
    taken = []

    def batches() -> Any:
        for seed in range(9):
            taken.append(seed)
            yield batch(4, seed)

    flow = GlowFlow(CONFIG)
    FlowTask(flow, RECIPE, initial_images=10).initialize(batches())
    assert taken == [0, 1, 2]
    assert np.abs(flow.variables["level-1/actnorm/log_scale"].numpy()).max() > 0.5


def test_only_kernels_decay() -> None:
    flow = GlowFlow(CONFIG)
    task = FlowTask(flow, RECIPE)
    decayed = {name for name, some in zip(flow.variables, task.decayed or (), strict=True) if some}
    assert {name.rsplit("/", 1)[1] for name in decayed} == {"kernel"}
    assert "level-1/convolution/factors" in flow.variables.keys() - decayed


def test_a_flow_that_cannot_be_inverted_is_unhealthy() -> None:
    flow = trained(CONFIG)
    task = FlowTask(flow, RECIPE)
    assert task.health(batch(4))["round_trip"] < 1e-4
    bias = flow.variables["level-1/actnorm/bias"]
    bias.assign(np.full(bias.shape, 1e7))  # float32 has no digits left for an image
    with pytest.raises(Unhealthy, match="the flow is no longer invertible: reconstructed images have"):
        task.health(batch(4))
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(Unhealthy, match="reconstructed images have values that are not numbers"):
        task.health(batch(4))


def test_backpropagation_by_inversion_checks_the_inverse_in_float32() -> None:
    flow = GlowFlow(replace(CONFIG, steps=2))
    bias = np.zeros(flow.variables["level-1/actnorm/bias"].shape, np.float32)
    flow.variables["level-1/actnorm/bias"].assign(bias)
    assert FlowTask(flow, RECIPE, "reversible").health(batch(4)) == pytest.approx(
        {"round_trip": 0, "drift": 0}, abs=1e-5
    )
    # Far away and back: float32 has no digits left for an image in between, float64 has.
    bias[0] = 1e7
    flow.variables["level-1/actnorm/bias"].assign(bias)
    away, _ = step.forward(*one_step(flow, 1, 0), np.zeros((1, 4, 4, 12), np.float32), flow.config)
    bias[1] = -away.numpy()[0, 0, 0]
    flow.variables["level-1/actnorm/bias"].assign(bias)
    assert FlowTask(flow, RECIPE, "recompute").health(batch(4))["round_trip"] < 1e-4
    with pytest.raises(Unhealthy, match="in float32 no longer inverts the flow: reconstructed images have errors"):
        FlowTask(flow, RECIPE, "reversible").health(batch(4))


def test_without_examples_only_samples_are_drawn(tmp_path: Path) -> None:
    FlowTask(trained(CONFIG), RECIPE).illustrate(tmp_path, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["samples-0000012.png"]


def test_readers_of_logs_know_which_epoch_is_kept() -> None:
    assert CRITERIA[f"val_{FlowTask.criterion.metric}"] is (FlowTask.criterion.better == "high")
