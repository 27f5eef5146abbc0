"""A flow of any shape and any weights is exact in both directions, and gives the log-determinant of its Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.flows.activations import HiddenMaps, activations
from simtool.models.flows.glow import network
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.pooling import Pooling
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import ArraysError
from simtool.training.outcome import TrainingError
from tests.models.flows.glow.flows import LOG_DET_TOLERANCE, images, jacobian_log_det, one_step, sample, trained

tf = load_tensorflow()

import keras  # noqa: E402 - after TensorFlow

from simtool.models.flows.config import MODES, Mode  # noqa: E402
from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402 - Keras after TensorFlow

KINDS = [(kind, variant) for kind in ("affine", "additive") for variant in ("glow", "study")]
CONFIG = GlowConfig(size=8, levels=2, steps=2, width=8)
CLASSES = GlowConfig(size=8, levels=2, steps=2, width=8, classes=3)


def _config(kind: Any, variant: Any, size: int = 8, levels: int = 2, steps: int = 2, channels: int = 3) -> GlowConfig:
    return GlowConfig(size, levels, steps, width=8, coupling=kind, variant=variant, channels=channels)


def _round_trip_error(flow: GlowFlow, seed: int = 9, precise: bool = False) -> float:
    """The largest error of a reconstruction from latents in the type of the weights, in units of an image's range."""
    x = images(flow.config, 4, seed)
    weights = flow.precise_weights() if precise else None
    dtype = flow.variables["level-1/actnorm/bias"].numpy().dtype
    latents = [scale.numpy().astype(dtype) for scale in flow.encode(x, weights=weights).standardized]
    return float(np.abs(flow.decode(latents, weights=weights) - x).max())


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize(("size", "levels", "steps"), [(4, 1, 1), (8, 3, 2), (16, 2, 5)])
@pytest.mark.parametrize("start", [GlowFlow, trained])
def test_decoding_undoes_encoding(kind: str, variant: str, size: int, levels: int, steps: int, start: Any) -> None:
    assert _round_trip_error(start(_config(kind, variant, size, levels, steps))) < 5e-5


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "variant"), KINDS)
def test_decoding_undoes_encoding_at_the_studys_depth(kind: str, variant: str) -> None:
    assert _round_trip_error(GlowFlow(_config(kind, variant, size=64, levels=6, steps=48, channels=1))) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["glow", "study"])
def test_decoding_undoes_encoding_at_the_studys_depth_with_trained_weights(variant: str) -> None:
    config = _config("affine", variant, size=64, levels=6, steps=48, channels=1)
    assert _round_trip_error(trained(config, amount=0.3, batch=128)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["glow", "study"])
def test_precise_weights_undo_what_float32_alone_does_not(variant: str) -> None:
    config = _config("affine", variant, size=64, levels=6, steps=48, channels=1)
    flow = trained(config, amount=0.45, batch=128)
    assert _round_trip_error(flow) > 1e-4 > _round_trip_error(flow, precise=True)


@pytest.mark.slow
def test_a_flow_of_the_studys_depth_is_undone_while_it_learns() -> None:
    flow = GlowFlow(_config("affine", "study", size=64, levels=6, steps=48, channels=1))
    x = images(flow.config, 128).astype(np.float32)
    flow.initialize([x])
    variables = list(flow.variables.values())
    optimizer = keras.optimizers.Adam(1e-4, global_clipnorm=1)
    optimizer.build(variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def learn(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.encode(x, mode="reversible").log_prob) / flow.config.dimension
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    losses = [float(learn(x[start : start + 16])) for _ in range(2) for start in range(0, 128, 16)]
    assert losses[-1] < losses[0] / 2
    assert _round_trip_error(flow, precise=True) < 1e-4


@pytest.mark.parametrize("variant", ["glow", "study"])
def test_precise_weights_change_latents_by_less_than_float32_rounds(variant: str) -> None:
    flow = trained(_config("affine", variant))
    x = images(CONFIG, 4)
    as_they_are, precise = flow.encode(x), flow.encode(x, weights=flow.precise_weights())
    for found, expected in zip(precise.standardized, as_they_are.standardized, strict=True):
        assert found.dtype == tf.float64
        assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    assert precise.log_prob.numpy() == pytest.approx(as_they_are.log_prob.numpy(), rel=1e-5)


def test_encoding_undoes_decoding() -> None:
    flow = trained(CONFIG, dtype="float64")
    random = np.random.default_rng(0)
    drawn = [random.standard_normal((3, *CONFIG.scale_shape(level))) for level in (1, 2)]
    for found, expected in zip(flow.encode(flow.decode(drawn)).standardized, drawn, strict=True):
        assert found.numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_log_determinant_is_the_jacobians(kind: str, variant: str, dtype: str) -> None:
    flow = trained(_config(kind, variant, levels=2, channels=1), dtype=dtype, batch=16)

    def latents(x: Any) -> Any:
        return tf.concat([tf.reshape(z, (len(z), -1)) for z in flow.encode(x).latents], axis=1)

    x = images(flow.config, 1, seed=5).astype(dtype)
    found, expected = float(flow.encode(x).log_det[0]), jacobian_log_det(latents, x)
    assert abs(expected) > 1
    assert found == pytest.approx(expected, rel=LOG_DET_TOLERANCE[dtype])


@pytest.mark.parametrize("variant", ["glow", "study"])
def test_the_log_density_is_that_of_the_standardized_latents_by_the_whole_jacobian(variant: str) -> None:
    flow = trained(_config("affine", variant, channels=1), dtype="float64", batch=16)

    def standardized(x: Any) -> Any:
        return tf.concat([tf.reshape(z, (len(z), -1)) for z in flow.encode(x).standardized], axis=1)

    x = images(flow.config, 1, seed=5)
    squares = np.square(standardized(x)).sum()
    expected = jacobian_log_det(standardized, x) - 0.5 * (squares + x.size * np.log(2 * np.pi))
    assert float(flow.encode(x).log_prob[0]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("kind", "variant"), KINDS)
def test_gradients_reach_every_weight_of_every_step(kind: str, variant: str) -> None:
    flow = trained(_config(kind, variant), batch=16)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.encode(images(flow.config, 4)).log_prob)
    gradients = tape.gradient(loss, [variable.value for variable in flow.variables.values()])
    for name, gradient in zip(flow.variables, gradients, strict=True):
        pieces = gradient if "/prior/" not in name else gradient[None]
        assert (np.abs(pieces).reshape(len(pieces), -1).max(axis=1) > 1e-6).all(), name


def test_the_gradient_is_the_slope_of_the_log_density() -> None:
    flow = trained(CLASSES, dtype="float64", batch=16)
    x, random = images(CLASSES, 3), np.random.default_rng(0)
    start = {name: variable.numpy() for name, variable in flow.variables.items()}
    direction = {name: random.standard_normal(value.shape) for name, value in start.items()}

    def log_prob(by: Any) -> Any:
        weights = {name: value + by * direction[name] for name, value in start.items()}
        return tf.reduce_sum(flow.encode(x, weights=weights).log_prob)

    by = tf.Variable(0.0, dtype=tf.float64)
    with tf.GradientTape() as tape:
        value = log_prob(by)
    slope = (log_prob(1e-6) - log_prob(-1e-6)) / 2e-6
    assert float(tape.gradient(value, by)) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [True, False])
def test_every_mode_of_backpropagation_gives_the_same_density(compiled: bool) -> None:
    flow, x = trained(CONFIG, dtype="float64", batch=16), tf.constant(images(CONFIG, 2))

    def density(mode: Mode) -> Any:
        def log_prob(x: Any) -> Any:
            return flow.encode(x, mode=mode).log_prob

        return (tf.function(log_prob, autograph=False) if compiled else log_prob)(x).numpy()

    plain, *others = map(density, MODES)
    for other in others:
        assert other == pytest.approx(plain, rel=1e-12)


def test_without_labels_the_density_is_the_mean_of_the_classes() -> None:
    flow, x = trained(CLASSES, dtype="float64", batch=16), images(CLASSES, 2)
    of_classes = [np.exp(flow.encode(x, tf.fill([2], label)).log_priors[-1]) for label in range(3)]
    assert np.ptp(of_classes, axis=0).min() > 0
    assert np.exp(flow.encode(x).log_priors[-1]) == pytest.approx(np.mean(of_classes, axis=0), rel=1e-9)
    shared = [flow.encode(x, labels).log_prob - flow.encode(x, labels).log_priors[-1] for labels in (None, [0, 2])]
    assert shared[0].numpy() == pytest.approx(shared[1].numpy())


def test_the_densities_of_the_classes_give_the_posterior() -> None:
    flow, x = trained(CLASSES, dtype="float64", batch=16), images(CLASSES, 2)
    encoding = flow.encode(x)
    of_classes = flow.class_log_probs(encoding.latents[-1]).numpy()
    for label in range(3):
        expected = flow.encode(x, tf.fill([2], label)).log_priors[-1]
        assert of_classes[:, label] == pytest.approx(expected.numpy(), rel=1e-9)
    posterior = np.exp(of_classes - np.log(3) - encoding.log_priors[-1].numpy()[:, None])
    assert posterior.sum(axis=1) == pytest.approx([1, 1])


def test_labels_undo_themselves_and_other_labels_change_the_image() -> None:
    flow, x = trained(CLASSES, batch=16), images(CLASSES, 3)
    labels = tf.constant([0, 1, 2])
    standardized = flow.encode(x, labels).standardized
    assert np.abs(flow.decode(standardized, labels) - x).max() < 1e-5
    assert np.abs(flow.decode(standardized, tf.constant([1, 2, 0])) - x).max() > 1e-2


def test_samples_are_standardized_latents_times_the_temperature() -> None:
    flow = trained(CONFIG, dtype="float64", batch=16)
    whole, half = (flow.encode(sample(flow, 2, temperature, seed=3)).standardized for temperature in (1.0, 0.5))
    for one, other in zip(whole, half, strict=True):
        assert other.numpy() == pytest.approx(one.numpy() / 2, abs=1e-9)
    together = np.concatenate([scale.numpy().ravel() for scale in whole])
    assert together.std() == pytest.approx(1, abs=0.15)


def test_at_temperature_0_there_is_one_image() -> None:
    found = sample(trained(CONFIG, batch=16), 3, 0.0, seed=0).numpy()
    assert found.shape == (3, *CONFIG.shape)
    assert found[1:] == pytest.approx(found[:-1], abs=1e-6)
    assert np.ptp(found[0]) > 1e-3


def test_a_seed_decides_the_samples() -> None:
    flow = trained(CONFIG, batch=16)
    first, again, other = (sample(flow, 2, 1.0, seed).numpy() for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first[0], first[1])


def test_activations_are_those_of_the_last_coupling_network_of_each_level() -> None:
    flow, x = trained(CONFIG, batch=16), images(CONFIG, 2)
    (found,) = activations(flow, x, [HiddenMaps(2, range(2, 3), Pooling())])
    deepest = flow.encode(x).latents[-1]
    hidden = network.hidden(one_step(flow, 2, -1)[0], deepest[..., : deepest.shape[-1] // 2], CONFIG)
    assert found[0].numpy() == pytest.approx(np.mean(hidden, axis=(1, 2)), abs=1e-6)


def test_a_flow_starts_from_its_seed() -> None:
    first, again, other = (GlowFlow(CONFIG, seed) for seed in (0, 0, 1))
    kernel = "level-1/coupling/first/kernel"
    assert np.array_equal(first.variables[kernel].numpy(), again.variables[kernel].numpy())
    assert not np.array_equal(first.variables[kernel].numpy(), other.variables[kernel].numpy())
    steps = first.variables[kernel].numpy()
    assert not np.array_equal(steps[0], steps[1])


@pytest.mark.parametrize("config", [CONFIG, CLASSES, _config("additive", "study")])
def test_parameters_are_counted_without_building(config: GlowConfig) -> None:
    flow = GlowFlow(config)
    assert {name: tuple(variable.shape) for name, variable in flow.variables.items()} == GlowFlow.shapes(config)
    assert list(flow.variables) == list(GlowFlow.shapes(config))
    assert GlowFlow.count_parameters(config) == sum(variable.numpy().size for variable in flow.variables.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_values_are_of_the_type_of_the_weights(dtype: str) -> None:
    flow, x = GlowFlow(CONFIG, dtype=dtype), images(CONFIG, 2)
    encoding = flow.encode(x)
    assert {z.dtype.name for z in (*encoding.latents, encoding.log_prob, sample(flow, 1, 1.0, 0))} == {dtype}


def test_a_flow_is_restored_from_its_arrays() -> None:
    flow, x = trained(CONFIG, batch=16), images(CONFIG, 2)
    arrays = list(flow.to_arrays())
    again = GlowFlow.from_arrays(CONFIG, reversed(arrays))
    assert np.array_equal(again.encode(x).log_prob, flow.encode(x).log_prob)
    assert list(again.variables) == list(flow.variables)


def test_arrays_of_another_flow_are_refused_with_the_reason() -> None:
    arrays = dict(GlowFlow(CONFIG).to_arrays())
    bias = "level-1/actnorm/bias"
    errors: list[tuple[dict[str, Any], type[Exception], str]] = [
        (
            {**arrays, "level-3/actnorm/bias": arrays[bias]},
            TrainingError,
            "holds level-3/actnorm/bias, which",
        ),
        ({**arrays, bias: arrays[bias][:1]}, TrainingError, r"level-1/actnorm/bias has the shape \(1, 12\)"),
        ({**arrays, bias: arrays[bias] * np.float32(np.nan)}, ModelError, "holds values that are not finite"),
        ({n: value for n, value in arrays.items() if n != bias}, ArraysError, "the file lacks level-1/actnorm/bias"),
    ]
    for changed, error, message in errors:
        with pytest.raises(error, match=message):
            GlowFlow.from_arrays(CONFIG, changed.items())
