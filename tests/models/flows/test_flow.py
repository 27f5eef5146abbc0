"""Another kind of flow needs only its passes: training, layers, drawing and model folders work with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.config import FlowConfig, Mode
from simtool.models.flows.drawing import Painter
from simtool.models.flows.model import FlowModel
from simtool.models.flows.taps import Coupling, Tap
from simtool.models.folder import read_manifest
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws

tf = load_tensorflow()

from simtool.models.flows.encoding import Encoding, Normal  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.flow import Flow  # noqa: E402
from simtool.models.flows.task import FlowTask  # noqa: E402

PREPROCESSING = named_preprocessing("study").adjusted(4)


@dataclass(frozen=True)
class ScalingConfig(FlowConfig):
    @property
    def couplings(self) -> tuple[int, ...]:
        return (1,) * self.levels

    def hidden_shape(self, level: int) -> tuple[int, int, int]:
        return self.level_shape(level)


class Scaling(Flow):
    """y = x exp(s), with one s for each level."""

    config: ScalingConfig

    @staticmethod
    def shapes(config: ScalingConfig) -> dict[str, tuple[int, ...]]:
        return {f"level-{level}/log_scale": () for level in range(1, config.levels + 1)}

    @staticmethod
    def initial(config: ScalingConfig, generator: np.random.Generator, dtype: str) -> Iterator[Any]:
        del dtype
        return ((name, generator.normal(size=shape)) for name, shape in Scaling.shapes(config).items())

    def initialize(self, pieces: Sequence[Any]) -> None:
        scale = np.std(np.concatenate(pieces))
        for variable in self.variables.values():
            variable.assign(-np.log(scale) / self.config.levels)

    def encode(
        self, x: Any, labels: Any | None = None, mode: Mode = "plain", weights: Mapping[str, Any] | None = None
    ) -> Encoding:
        del labels, mode
        return self.tapped(x, [], weights)[0]

    def tapped(
        self, x: Any, taps: Sequence[Tap], weights: Mapping[str, Any] | None = None
    ) -> tuple[Encoding, tuple[Any, ...]]:
        x, log_det, latents = tf.convert_to_tensor(x, "float32"), 0.0, []
        taken: dict[Tap, Any] = {}
        for level, log_scale in enumerate(self._weights(weights), 1):
            x = tf.nn.space_to_depth(x, 2) * tf.exp(log_scale)
            log_det += log_scale * float(np.prod(x.shape[1:]))
            coupling = Coupling(x, tf.fill(x.shape[:-1], log_scale * x.shape[-1]))
            taken |= {tap: tap.take(coupling)[None] for tap in taps if tap.level == level}
            x, leaving = tf.split(x, 2, -1) if level < self.config.levels else (x, x)
            latents.append(leaving)
        priors = tuple(Normal(tf.zeros_like(z), tf.zeros_like(z)) for z in latents)
        log_priors = tuple(normal.log_prob(z) for normal, z in zip(priors, latents, strict=True))
        return Encoding(tuple(latents), priors, log_priors, log_det), tuple(taken[tap] for tap in taps)

    def decode(
        self, standardized: Sequence[Any], labels: Any | None = None, weights: Mapping[str, Any] | None = None
    ) -> Any:
        del labels
        *others, x = standardized
        for leaving, log_scale in zip([*others, None][::-1], self._weights(weights)[::-1], strict=True):
            x = x if leaving is None else tf.concat([x, leaving], -1)
            x = tf.nn.depth_to_space(x * tf.exp(-log_scale), 2)
        return x

    def precise_weights(self) -> dict[str, Any]:
        return dict(self.variables)

    def _weights(self, weights: Mapping[str, Any] | None) -> list[Any]:
        return [tf.convert_to_tensor(value) for value in (self.variables if weights is None else weights).values()]


class Scaler(FlowModel):
    kind: ClassVar[str] = "scaling"
    title: ClassVar[str] = "Scaling"

    @staticmethod
    def make_flow(configuration: Mapping[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> Flow:
        return Scaling.from_arrays(ScalingConfig.from_json(configuration), arrays)


@pytest.fixture
def flow() -> Scaling:
    return Scaling(ScalingConfig(4, 2), seed=1)


def pixels(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (count, 4, 4, 3)).astype(np.float32)


def test_it_is_trained_by_the_same_task(flow: Scaling, tmp_path: Path) -> None:
    images = {"image": np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), np.uint8)}
    task = FlowTask(flow, PREPROCESSING, initial_images=8, examples=images["image"])
    draws = Draws(tf.constant([1, 2]), 8, tf.range(8))
    before = np.mean(task.evaluate(images, draws)["bits_per_dim"])
    task.initialize(iter([images]))
    with tf.GradientTape() as tape:
        loss, _ = task.loss(task.prepared(images, draws), draws)
    assert np.mean(loss) < before
    assert all(gradient is not None for gradient in tape.gradient(loss, [one.value for one in task.variables]))
    assert task.health(images)["round_trip"] < 1e-5
    task.illustrate(tmp_path, 1)
    assert len(list(tmp_path.iterdir())) == 3


def test_its_reconstructions_are_the_images(flow: Scaling) -> None:
    images = pixels(2)
    rows = Painter(flow).reconstructions(images)
    np.testing.assert_allclose(rows[1], images, atol=1e-5)


def test_its_layers_are_those_of_any_flow_and_a_model_folder_keeps_them(flow: Scaling, tmp_path: Path) -> None:
    model = Scaler(PREPROCESSING, flow)
    activations = ("activations", "activations/all", "activations/level-1", "activations/level-2")
    assert model.layers == ("latent", "posterior", "scale-1", "scale-2", "pooled", *activations)
    vectors = model.embed_layers(pixels(3), model.layers)
    assert [one.shape for one in vectors] == [(3, model.output(layer).dimension) for layer in model.layers]
    assert model.output("scale-1").name == "Scaling scale-1"
    model.save(tmp_path, Provenance.of(command=("test",), inputs=()))
    loaded = Scaler.load(tmp_path, read_manifest(tmp_path))
    for found, expected in zip(loaded.embed_layers(pixels(3), model.layers), vectors, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_flows_that_differ_in_their_training_only_share_their_controls(flow: Scaling, tmp_path: Path) -> None:
    other, deeper = Scaling(flow.config, seed=2), Scaling(ScalingConfig(4, 1), seed=1)
    models = [Scaler(PREPROCESSING, each) for each in (flow, other, deeper)]
    for number, model in enumerate(models):
        (folder := tmp_path / str(number)).mkdir()
        model.save(folder, Provenance.of(command=("test",), inputs=()))
    assert models[0].weights != models[1].weights
    assert models[0].origin == models[1].origin
    assert models[2].origin not in (None, models[0].origin)
