"""Hidden activations of every coupling, against a slow pass with one step after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.activations import HiddenMaps, activations
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.model import Glow
from simtool.models.flows.surprise import code_lengths, place_weights, weighted_vectors
from simtool.models.pooling import Pool, Pooling
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

from simtool.models.flows.glow import coupling, level, network  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402
from simtool.models.flows.glow.squeeze import squeeze  # noqa: E402
from tests.models.flows.glow.flows import images, trained  # noqa: E402
from tests.models.flows.glow.plain import PlainPass  # noqa: E402

CONFIG = GlowConfig(size=16, levels=2, steps=2, width=6)
#: So many steps are one loop.
LOOPED = GlowConfig(size=8, levels=1, steps=9, width=5)
Array = NDArray[Any]


@pytest.fixture(scope="module")
def model() -> Glow:
    return Glow(named_preprocessing("study").adjusted(CONFIG.size), trained(CONFIG))


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    return np.clip(images(CONFIG, 5), -0.5, 0.49).astype(np.float32)


@pytest.mark.parametrize("config", [CONFIG, LOOPED])
def test_each_step_gives_the_hidden_activations_of_its_network(config: GlowConfig) -> None:
    flow, x = trained(config, dtype="float64"), images(config, 3)
    plain = PlainPass(flow, x)
    for number in range(1, config.levels + 1):
        wanted = [
            HiddenMaps(number, range(1, config.steps + 1), Pooling(Pool.FLAT)),
            HiddenMaps(number, range(2, 3), Pooling(Pool.MAX)),
        ]
        whole, second = activations(flow, x, wanted)
        for step, values in enumerate(whole, 1):
            np.testing.assert_allclose(values, plain.hidden[number, step].reshape(3, -1), atol=1e-10)
        np.testing.assert_allclose(second[0], plain.hidden[number, 2].max(axis=(1, 2)), atol=1e-10)


@pytest.mark.parametrize("window", [1.0, 0.5])
@pytest.mark.parametrize("layer", ["activations/level-1/step-2", "activations/level-2/step-1", "scale-1"])
def test_poolings_are_statistics_of_the_flat_layer(
    layer: str, window: float, model: Glow, pixels: NDArray[np.float32]
) -> None:
    options = [f"pool={pool},window={window}" for pool in ("mean", "max", "mean+std", "surprise")]
    whole, mean, most, both, surprise = model.embed_layers(
        pixels, [f"{layer}:pool=flat", *(f"{layer}:{text}" for text in options)]
    )
    maps = whole.reshape(5, *model.output(f"{layer}:pool=flat").shape)
    side = maps.shape[1]
    kept = slice(side // 4, side - side // 4) if window == 0.5 else slice(None)
    seen = maps[:, kept, kept]
    tolerance: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(mean, seen.mean((1, 2)), **tolerance)
    np.testing.assert_allclose(most, seen.max((1, 2)), **tolerance)
    np.testing.assert_allclose(both, np.hstack([seen.mean((1, 2)), seen.std((1, 2))]), **tolerance)
    lengths = code_lengths(model.flow, model.dequantized(pixels), model.flow.precise_weights()).numpy()
    expected = weighted_vectors(maps, place_weights(lengths, side, np), Pooling(window=window), np)
    np.testing.assert_allclose(surprise, expected, **tolerance)
    assert np.abs(surprise - both).max() > 0.01


def test_layers_of_steps_are_the_segments_of_layers_of_levels(model: Glow, pixels: NDArray[np.float32]) -> None:
    steps = [f"activations/level-{number}/step-{step}" for number in (2, 1) for step in (1, 2)]
    names = ["activations", "activations/all", "activations/level-2", "activations/level-1", *steps]
    vectors = dict(zip(names, model.embed_layers(pixels, names), strict=True))
    np.testing.assert_array_equal(np.hstack([vectors[name] for name in steps]), vectors["activations/all"])
    np.testing.assert_array_equal(np.hstack([vectors[name] for name in steps[:2]]), vectors["activations/level-2"])
    np.testing.assert_array_equal(np.hstack([vectors[name] for name in steps[1::2]]), vectors["activations"])
    assert [(one.name, one.length) for one in model.output("activations/all:pool=mean+std").segments] == [
        ("level-2/step-1", 12),
        ("level-2/step-2", 12),
        ("level-1/step-1", 12),
        ("level-1/step-2", 12),
    ]
    np.testing.assert_array_equal(model.embed(pixels, names[-1]), vectors[names[-1]])  # alone as with others


def test_activations_have_the_bits_of_a_pass_by_levels(model: Glow, pixels: NDArray[np.float32]) -> None:
    flow = model.flow
    assert isinstance(flow, GlowFlow)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def by_levels(x: Any) -> list[Any]:
        weights, found = flow.precise_weights(), []
        x = tf.cast(x, tf.float64)
        for number in (1, 2):
            stacked, constants = flow._level(weights, number)
            x, _ = level.forward(stacked, constants, squeeze(x), CONFIG)
            x, _ = coupling.halves(x)  # the last coupling does not change this half: the input of its network
            last = {name: weight[-1] for name, weight in stacked.items()}
            found.append(tf.reduce_mean(tf.cast(network.hidden(last, x, CONFIG), tf.float64), (1, 2)))
        return found[::-1]

    batch = np.concatenate([pixels, np.zeros((11, *CONFIG.shape), np.float32)])
    expected = np.hstack(by_levels(model.dequantized(batch))).astype(np.float32)[:5]
    np.testing.assert_array_equal(model.embed(pixels, "activations"), expected)


def test_pooled_latents_take_a_window(model: Glow, pixels: NDArray[np.float32]) -> None:
    whole, found = model.embed_layers(pixels, ["scale-1", "pooled:window=0.5"])
    middle = whole.reshape(5, 8, 8, 6)[:, 2:6, 2:6]
    np.testing.assert_allclose(found[:, -12:], np.hstack([middle.mean((1, 2)), (middle**2).mean((1, 2))]), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "name", "full", "shape"),
    [
        ("activations", "Glow activations", "activations", (12,)),
        ("activations:pool=mean", "Glow activations", "activations", (12,)),
        ("scale-1:pool=flat,window=1", "Glow scale-1", "scale-1", (8, 8, 6)),
        ("scale-1:pool=mean", "Glow scale-1 (mean)", "scale-1:pool=mean", (6,)),
        ("scale-1:window=0.5", "Glow scale-1 (window 0.5)", "scale-1:window=0.5", (4, 4, 6)),
        (
            "activations/level-1/step-2:window=0.5,pool=flat",
            "Glow activations/level-1/step-2 (flat, window 0.5)",
            "activations/level-1/step-2:pool=flat,window=0.5",
            (4, 4, 6),
        ),
        ("posterior:noise=0.5", "Glow posterior (noise 0.5)", "posterior:noise=0.5", (768,)),
    ],
)
def test_a_layer_has_one_full_name(layer: str, name: str, full: str, shape: tuple[int, ...], model: Glow) -> None:
    output = model.output(layer)
    assert (output.name, output.layer, output.shape) == (name, full, shape)
    assert model.output(full) == output


def test_all_layers_can_be_embedded(model: Glow, pixels: NDArray[np.float32]) -> None:
    layers = model.all_layers()
    assert [layer.name for layer in layers][-4:] == [
        f"activations/level-{number}/step-{step}" for number in (1, 2) for step in (1, 2)
    ]
    vectors = model.embed_layers(pixels[:1], [layer.name for layer in layers if layer.name != "posterior"])
    assert [one.shape[1] for one in vectors] == [layer.dimension for layer in layers if layer.name != "posterior"]
