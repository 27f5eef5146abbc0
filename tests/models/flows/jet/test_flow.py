"""A Jet is exact in both directions, gives the log-determinant of its Jacobian, and learns."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.flows.backend import depth
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.jet.halves import places
from simtool.models.flows.surprise import code_lengths
from simtool.models.flows.taps import Tap
from simtool.models.folder import read_manifest
from simtool.models.registry import load_model
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws
from tests.models.flows.glow.flows import LOG_DET_TOLERANCE, images, jacobian_log_det, sample
from tests.models.flows.jet.flows import config_of, trained

tf = load_tensorflow()

import keras  # noqa: E402 - after TensorFlow

from simtool.models.flows.jet import network  # noqa: E402
from simtool.models.flows.jet.coupling import Coupling  # noqa: E402
from simtool.models.flows.jet.flow import JetFlow  # noqa: E402
from simtool.models.flows.jet.model import Jet  # noqa: E402
from simtool.models.flows.jet.patches import to_patches  # noqa: E402
from simtool.models.flows.task import FlowTask  # noqa: E402

CONFIG = config_of(depth=1)


def round_trip_error(flow: JetFlow, precise: bool = False) -> float:
    """The largest error of a reconstruction, in units of an image's range."""
    x = images(flow.config, 4)
    weights = flow.precise_weights() if precise else None
    return float(np.abs(flow.decode(flow.encode(x, weights=weights).standardized, weights=weights) - x).max())


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 10),
    st.sampled_from([(4, 2), (8, 2), (8, 4)]),
    st.integers(0, 3),
    st.sampled_from([1, 3]),
    st.sampled_from([0.0, 0.2]),
)
def test_decoding_undoes_encoding(steps: int, sides: tuple[int, int], every: int, channels: int, amount: float) -> None:
    config = config_of(steps, size=sides[0], patch=sides[1], spatial_every=every, channels=channels, depth=1)
    assert round_trip_error(trained(config, amount=amount)) < 1e-4


def test_precise_weights_undo_more_than_float32_alone() -> None:
    flow = trained(config_of(steps=24, depth=1))
    assert round_trip_error(flow, precise=True) < 1e-6 < round_trip_error(flow)
    x = images(flow.config, 4)
    as_they_are, precise = flow.encode(x), flow.encode(x, weights=flow.precise_weights())
    assert precise.latents[0].dtype == tf.float64
    assert precise.log_prob.numpy() == pytest.approx(as_they_are.log_prob.numpy(), rel=1e-4)


def test_encoding_undoes_decoding() -> None:
    flow = trained(CONFIG, dtype="float64")
    drawn = np.random.default_rng(0).standard_normal((3, *CONFIG.scale_shape(1)))
    (found,) = flow.encode(flow.decode([drawn])).standardized
    np.testing.assert_allclose(found, drawn, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_log_determinant_is_the_jacobians(dtype: str) -> None:
    config = config_of(size=4, channels=1)
    flow = trained(config, dtype=dtype, amount=0.4)
    x = images(config, 1).astype(dtype)
    expected = jacobian_log_det(lambda x: flow.encode(x).latents[0], x)
    assert abs(expected - 16 * np.log(2)) > 0.1  # beyond the fixed range of values
    assert float(flow.encode(x).log_det[0]) == pytest.approx(expected, rel=LOG_DET_TOLERANCE[dtype])


def test_the_latents_of_an_untrained_flow_are_the_patches_and_their_density_is_normal() -> None:
    x = images(CONFIG, 3)
    encoding = JetFlow(CONFIG, dtype="float64").encode(x)
    np.testing.assert_allclose(encoding.latents[0], 2 * to_patches(x, 2), atol=1e-12)
    expected = scipy.stats.norm.logpdf(x, scale=0.5).sum((1, 2, 3))
    np.testing.assert_allclose(encoding.log_prob, expected, rtol=1e-12)


def test_the_density_integrates_to_1() -> None:
    config = config_of(size=4, channels=1)  # 16 values
    flow = trained(config, dtype="float64", amount=0.1)
    drawn = sample(flow, 4000, 1.0, seed=1).numpy().reshape(-1, 16)
    proposal = scipy.stats.multivariate_normal(drawn.mean(0), 1.2 * np.cov(drawn.T))
    uniform = scipy.stats.qmc.Sobol(16, seed=0).random(2**14)
    x = proposal.mean + scipy.stats.norm.ppf(uniform) @ np.linalg.cholesky(proposal.cov).T
    ratios = np.exp(flow.encode(x.reshape(-1, 4, 4, 1)).log_prob - proposal.logpdf(x))
    assert ratios.std() > 0.1
    assert ratios.mean() == pytest.approx(1, abs=0.02)


@cache
def differentiated(config: JetConfig, dtype: str, mode: Mode) -> dict[str, Any]:
    """The gradients of the log-density, by the image and each weight."""
    flow = trained(config, dtype=dtype)
    weights = {name: variable.value for name, variable in flow.variables.items()}

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gradients(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            target = tf.reduce_sum(flow.encode(x, mode=mode).log_prob * tf.constant([1, 2, 3], dtype))
        return tape.gradient(target, {"x": x, **weights})

    return {name: gradient.numpy() for name, gradient in gradients(tf.constant(images(config, 3), dtype)).items()}


def largest_difference(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """The largest, relative to the largest entry of the same gradient."""
    return max(float(np.abs(found[n] - expected[n]).max() / np.abs(expected[n]).max()) for n in expected)


@pytest.mark.parametrize(
    ("mode", "most"), [("plain", 0), ("recompute", 0), ("reversible", 0), ("recompute", 8), ("reversible", 8)]
)
def test_every_mode_gives_the_same_gradients(mode: Mode, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = differentiated(CONFIG, "float64", "plain")
    assert all(np.abs(gradient).max() > 0 for gradient in plain.values())
    monkeypatch.setattr(depth, "_WRITTEN_OUT", most)
    assert largest_difference(differentiated.__wrapped__(CONFIG, "float64", mode), plain) < 1e-10


def test_gradients_are_those_of_finite_differences() -> None:
    flow, random = trained(CONFIG, dtype="float64"), np.random.default_rng(2)
    direction = {name: random.standard_normal(variable.shape) for name, variable in flow.variables.items()}

    def target(by: float) -> float:
        moved = {name: variable.value + by * direction[name] for name, variable in flow.variables.items()}
        log_prob = flow.encode(images(CONFIG, 3), weights=moved).log_prob
        return float(tf.reduce_sum(log_prob * [1.0, 2.0, 3.0]))

    gradients = differentiated(CONFIG, "float64", "plain")
    found = sum(np.vdot(direction[name], gradients[name]) for name in direction)
    assert found == pytest.approx((target(1e-6) - target(-1e-6)) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_the_graph_hardly_grows_with_depth(mode: Mode) -> None:
    def nodes(steps: int) -> int:
        flow = JetFlow(config_of(steps, size=4, depth=1))
        weights = [variable.value for variable in flow.variables.values()]

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def gradients(x: Any) -> Any:
            with tf.GradientTape() as tape:
                target = tf.reduce_sum(flow.encode(x, mode=mode).log_prob)
            return tape.gradient(target, weights)

        graph = gradients.get_concrete_function(tf.zeros((1, 4, 4, 3))).graph.as_graph_def()
        return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)

    assert nodes(40) < nodes(20) + 20  # one coupling has hundreds of nodes


def test_the_task_of_every_flow_trains_it(tmp_path: Path) -> None:
    config = config_of(bits=5, depth=1)
    flow = JetFlow(config)
    smooth = np.clip(images(config, 32) + 0.5, 0, 1)
    batch = {"image": (255 * smooth).astype(np.uint8)}
    task = FlowTask(flow, named_preprocessing("study").adjusted(8), "reversible", examples=batch["image"][:2])
    task.initialize(iter([batch]))
    optimizer = keras.optimizers.Adam(5e-3)
    optimizer.build(task.variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def learn(seed: Any) -> Any:
        with tf.GradientTape() as tape:
            draws = Draws(seed, 32, tf.range(32))
            loss, _ = task.loss(task.prepared(batch, draws), draws)
            mean = tf.reduce_mean(loss)
        optimizer.apply(tape.gradient(mean, [variable.value for variable in task.variables]), task.variables)
        return mean

    losses = [float(learn(tf.constant([0, step]))) for step in range(40)]
    assert np.mean(losses[-5:]) < losses[0] - 0.5
    assert max(task.health(batch).values()) < 1e-4
    task.illustrate(tmp_path, 1)
    assert len(list(tmp_path.iterdir())) == 3
    assert task.decayed is not None
    assert sum(task.decayed) == 6


def test_a_model_folder_keeps_it_bit_by_bit(tmp_path: Path) -> None:
    model = Jet(named_preprocessing("study").adjusted(8), trained(CONFIG))
    model.save(tmp_path, Provenance.of(command=("test",), inputs=()))
    loaded = load_model(tmp_path)
    assert isinstance(loaded, Jet)
    assert loaded.flow.config == CONFIG
    assert read_manifest(tmp_path).kind == "jet"
    for (name, found), (_, expected) in zip(loaded.flow.to_arrays(), model.flow.to_arrays(), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)
    x = images(CONFIG, 3).astype(np.float32)
    np.testing.assert_array_equal(loaded.embed(x), model.embed(x))


def test_damaged_permutations_are_refused() -> None:
    arrays = dict(JetFlow(CONFIG).to_arrays())
    arrays["permutations"] = np.zeros_like(arrays["permutations"])
    with pytest.raises(ModelError, match="is no permutation"):
        JetFlow.from_arrays(CONFIG, iter(arrays.items()))


def test_its_layers_are_those_of_any_flow_with_one_scale() -> None:
    model = Jet(named_preprocessing("study").adjusted(8), trained(CONFIG))
    assert {"latent", "posterior", "scale-1", "pooled", "activations"} <= set(model.layers)
    assert "scale-2" not in model.layers
    x = images(CONFIG, 3).astype(np.float32)
    latent, scale, pooled, hidden = model.embed_layers(x, ["latent", "scale-1", "pooled", "activations"])
    np.testing.assert_array_equal(latent, scale)
    assert (latent.shape, pooled.shape, hidden.shape) == ((3, 192), (3, 24), (3, 8))
    whole, last = model.embed_layers(x, ["activations/level-1:pool=surprise,window=0.5", "activations/level-1/step-4"])
    assert whole.shape == (3, 4 * 2 * 8)
    np.testing.assert_array_equal(last, hidden)


def test_taps_see_tokens_and_log_determinants_at_their_places() -> None:
    flow, x = trained(CONFIG, dtype="float64"), images(CONFIG, 2)
    steps = range(1, CONFIG.steps + 1)
    _, (hidden, log_dets) = flow.tapped(x, [Tap(1, steps, lambda c: c.hidden), Tap(1, steps, lambda c: c.log_det)])
    stacked = {**flow._tensors(None), **flow._fixed}
    coupling, z = Coupling(CONFIG), flow._patches(x, stacked)
    for number in range(CONFIG.steps):
        own = {name: value[number] for name, value in stacked.items()}
        x_a, x_b = coupling.split(own, z)
        tokens = hidden[number].numpy().reshape(2, 16, 8)[:, places(number, CONFIG)]
        np.testing.assert_allclose(tokens, network.hidden(own, x_a, CONFIG), atol=1e-10)
        y, total, _ = coupling.apply(own, z)
        slope = coupling.apply(own, z + coupling.unsplit(own, tf.zeros_like(x_a), tf.ones_like(x_b)))[0] - y
        expected = np.log(np.where(np.abs(slope) > 1e-12, slope, 1)).sum(axis=-1)
        np.testing.assert_allclose(log_dets[number], expected, atol=1e-9)
        np.testing.assert_allclose(np.sum(log_dets[number], axis=(1, 2)), total, atol=1e-9)
        z = y


def test_the_code_lengths_of_places_add_up() -> None:
    flow, x = trained(CONFIG, dtype="float64"), images(CONFIG, 2)
    found = code_lengths(flow, x).numpy()
    assert found.shape == (2, 4, 4)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), -flow.encode(x).log_prob, rtol=1e-12)
