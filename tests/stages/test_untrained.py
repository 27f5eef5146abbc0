"""Untrained controls: the architecture of a model with the weights before a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool import stages
from simtool.errors import UsageError
from simtool.images.given import GivenImages
from simtool.images.preprocessing import named_preprocessing
from simtool.images.shards import Shard
from simtool.models.errors import ModelError
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.jet.config import JetConfig
from simtool.models.interface import TrainedModel
from simtool.models.pca.fit import fit_components
from simtool.models.pca.model import Pca
from simtool.models.pixels import Pixels
from simtool.models.registry import load_model
from simtool.stages.training import TrainingPlan
from simtool.tables.embeddings import open_embeddings
from simtool.tables.images import image_paths, read_images
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow
from simtool.training.devices import open_devices
from simtool.training.images import decode_all
from tests.models.onnx_networks import write_network
from tests.photographs import write_table

tf = load_tensorflow()

from simtool.models.classifier.model import Classifier  # noqa: E402 - Keras after TensorFlow
from simtool.models.classifier.network import named_weights  # noqa: E402
from simtool.models.flows.dequantization import dequantize  # noqa: E402
from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402
from simtool.models.flows.glow.model import Glow  # noqa: E402
from simtool.models.flows.glow.squeeze import squeeze  # noqa: E402
from simtool.models.flows.jet.flow import JetFlow  # noqa: E402
from simtool.models.flows.jet.model import Jet  # noqa: E402
from simtool.models.flows.task import FlowTask  # noqa: E402

COUNT = 20
NET = "MobileNet"
SIDE = 32
CONFIG = GlowConfig(size=8, levels=2, steps=2, width=6, bits=5)
RECIPE = named_preprocessing("study").adjusted(8)
MADE = Provenance.of(["test"], [])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    classes = [f"class {number % 2}" for number in range(COUNT)]
    return write_table(
        tmp_path_factory.mktemp("home"), COUNT, class_id=[number % 2 for number in range(COUNT)], class_name=classes
    )


@pytest.fixture(scope="module")
def given(images: Path) -> GivenImages:
    table = read_images(images)
    return GivenImages(table.image_id, image_paths(images, table))


def saved(model: TrainedModel, folder: Path) -> Path:
    folder.mkdir()
    model.save(folder, MADE)
    return folder


@pytest.fixture(scope="module")
def glow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose weights differ from all initial ones."""
    flow = GlowFlow(CONFIG, seed=99)
    for variable in flow.variables.values():
        variable.assign_add(tf.fill(variable.shape, 0.01))
    return saved(Glow(RECIPE, flow), tmp_path_factory.mktemp("models") / "glow")


@pytest.fixture(scope="module")
def pca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = np.random.default_rng(0).normal(size=(40, RECIPE.dimension)).astype(np.float32)
    home = tmp_path_factory.mktemp("models")
    return saved(Pca.of(RECIPE, fit_components([vectors], 40, RECIPE.dimension, 30, home)), home / "pca")


def values(model: Any) -> dict[str, NDArray[Any]]:
    """The weights of a model, by their names."""
    if isinstance(model, Glow):
        return dict(model.flow.to_arrays())
    return {name: weight.numpy() for name, weight in named_weights(model.network).items()}


def assert_same(one: Any, other: Any) -> None:
    ones, others = values(one), values(other)
    assert ones.keys() == others.keys()
    for name, value in ones.items():
        np.testing.assert_array_equal(value, others[name], err_msg=name)


def started(plan: TrainingPlan, images: Path) -> FlowTask:
    """The task of a training of a flow, before its first step."""
    plan.open(open_devices())
    table = plan.table
    pixels = decode_all(table, image_paths(images, table), plan.decoded, plan.rounding)
    task = plan.task(pixels, plan.split)
    assert isinstance(task, FlowTask)
    task.initialize(iter([{"image": pixels[:16]}, {"image": pixels[16:]}]))
    return task


def test_an_untrained_glow_is_one_at_the_start_of_a_training(images: Path, glow: Path, given: GivenImages) -> None:
    changes: dict[str, Any] = {
        "size": 8,
        "levels": 2,
        "steps": 2,
        "width": 6,
        "bits": 5,
        "validation": "none",
        "seed": 3,
    }
    task = started(stages.plan_glow(images, preset="tiny", **changes), images)
    assert_same(load_model(glow).initial(3, given), Glow(RECIPE, task.flow))


def test_actnorm_gives_the_given_images_mean_0_and_variance_1(glow: Path, given: GivenImages) -> None:
    control = load_model(glow).initial(6, given)
    assert isinstance(control, Glow)
    (pixels,) = given.batches(RECIPE, COUNT)
    noise = np.random.default_rng(6).random(pixels.shape, np.float32)
    first = squeeze(dequantize(pixels, CONFIG.bits, noise)).numpy()
    bias, log_scale = (values(control)[f"level-1/actnorm/{name}"][0] for name in ("bias", "log_scale"))
    normalized = (first + bias) * np.exp(log_scale)
    np.testing.assert_allclose(normalized.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.var(axis=(0, 1, 2)), 1, rtol=1e-4)


def test_an_untrained_classifier_is_one_at_the_start_of_a_training_from_scratch(
    images: Path, given: GivenImages, tmp_path: Path
) -> None:
    plan = stages.plan_resnet(images, preset="tiny", pretrained=False, architecture=NET, size=SIDE, seed=4)
    plan.open(open_devices())
    start = plan.model()
    assert isinstance(start, Classifier)
    other = Classifier(start.config.changed(pretrained=True), start.network, start.classes)
    expected = {name: value.copy() for name, value in values(start).items()}
    for weight in other.network.weights:
        weight.assign(weight + 1)
    control = load_model(saved(other, tmp_path / "fine-tuned")).initial(4, given)
    found = values(control)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_a_network_by_its_name_has_the_initial_weights_of_keras_and_downloads_nothing(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    [table] = stages.embed(images, f"keras:{NET}", size=SIDE, untrained=True, seed=5)
    keras.utils.set_random_seed(5)
    network = keras.applications.MobileNet(weights=None, input_shape=(SIDE, SIDE, 3))
    [bytes_] = stages.embed(images, "pixels", preprocessing=named_preprocessing("symmetric").adjusted(SIDE))
    maps = keras.Model(network.input, network.get_layer("conv_pw_13_relu").output)
    expected = maps(bytes_.read().reshape(-1, SIDE, SIDE, 3)).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(table.read(), expected, rtol=1e-4, atol=1e-6)
    assert table.info.name == f"keras:{NET} penultimate, untrained, seed 5"
    assert (table.info.origin, table.info.untrained) == (f"keras:{NET}", 5)
    assert not (tmp_path / "keras").exists()


def test_an_untrained_pca_is_a_random_projection_of_the_same_size(pca: Path, given: GivenImages) -> None:
    trained = load_model(pca)
    control = trained.initial(0, given)
    assert isinstance(trained, Pca)
    assert isinstance(control, Pca)
    assert control.components.shape == trained.components.shape
    np.testing.assert_allclose(control.components @ control.components.T, np.eye(30), atol=1e-6)
    assert np.abs(control.components @ trained.components.T).max() < 0.5
    photographs = np.random.default_rng(1).normal(size=(3, *RECIPE.shape)).astype(np.float32)
    mean = np.load(pca / "mean.npy")
    expected = (photographs.reshape(3, -1) - mean) @ control.components.T
    np.testing.assert_allclose(control.embed(photographs), expected, rtol=1e-4, atol=1e-5)


def test_the_seed_decides_the_vectors(images: Path, pca: Path) -> None:
    [trained] = stages.embed(images, pca)
    one, again, other = (stages.embed(images, pca, untrained=True, seed=seed)[0] for seed in (0, None, 1))
    np.testing.assert_array_equal(one.read(), again.read())
    assert one.info == again.info
    for different in (trained, other):
        assert np.abs(one.read() - different.read()).max() > 0.01
        assert one.info.model != different.info.model


def test_a_model_and_its_controls_have_the_same_origin_layer_and_preprocessing(images: Path, glow: Path) -> None:
    one, other = (
        stages.embed(images, glow, layers=["activations"], untrained=untrained)[0].info for untrained in (False, True)
    )
    assert (one.origin, one.layer, one.preprocessing) == (other.origin, other.layer, other.preprocessing)
    assert one.origin is not None
    assert one.model != other.model
    assert (one.untrained, other.untrained) == (None, 0)
    assert other.name == "Glow activations, untrained, seed 0"


def test_fewer_components_are_another_origin(images: Path, pca: Path) -> None:
    [all_] = stages.embed(images, pca)
    few, control = (stages.embed(images, pca, components=4, untrained=untrained)[0] for untrained in (False, True))
    assert few.info.origin == control.info.origin != all_.info.origin
    assert control.info.name == "PCA 4, untrained, seed 0"


def test_parts_and_batches_have_the_weights_of_the_whole_table(images: Path, glow: Path, tmp_path: Path) -> None:
    [whole] = stages.embed(images, glow, untrained=True)
    for index in range(2):
        stages.embed(images, glow, tmp_path / "parts", untrained=True, shard=Shard(index, 2), batch_size=5)
    parts = open_embeddings(tmp_path / "parts")
    np.testing.assert_array_equal(parts.read(), whole.read())
    assert (parts.info.model, parts.info.untrained) == (whole.info.model, 0)
    part = tmp_path / "parts" / "part-00000-of-00002.parquet"
    written = part.stat().st_mtime_ns
    stages.embed(images, glow, tmp_path / "parts", untrained=True, shard=Shard(0, 2), batch_size=5)
    assert part.stat().st_mtime_ns == written


def test_the_seed_decides_the_weights_of_a_flow(glow: Path, given: GivenImages) -> None:
    one, again, other = (load_model(glow).initial(seed, given) for seed in (0, 0, 1))
    assert_same(one, again)
    assert one.weights == again.weights != other.weights
    kernels = [values(model)["level-1/coupling/first/kernel"] for model in (one, other)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_other_images_give_a_flow_other_initial_weights(glow: Path, given: GivenImages) -> None:
    model = load_model(glow)
    half = GivenImages(given.image_id[:10], given.paths[:10])
    one, other = model.initial(0, given), model.initial(0, half)
    assert one.weights != other.weights
    assert any(np.any(value != values(other)[name]) for name, value in values(one).items())


def test_a_flow_that_needs_more_images_says_how_many(given: GivenImages) -> None:
    deep = GlowConfig(size=16, levels=4, steps=1, width=2)
    model = Glow(named_preprocessing("study").adjusted(16), GlowFlow(deep))
    with pytest.raises(ModelError, match="20 are too few for a flow of this depth, 96 are enough"):
        model.initial(0, given)


def test_images_that_cannot_be_decoded_are_left_out_of_the_initial_weights_too(
    images: Path, glow: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path, 6)
    (tmp_path / "photographs" / "2.jpg").write_bytes(b"no image")
    [control] = stages.embed(table, glow, untrained=True, skip_bad=True)
    assert control.info.skipped == ("bird-2",)
    assert np.isfinite(control.read()).all()


def test_a_control_is_not_saved(glow: Path, given: GivenImages, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="an untrained control is not saved"):
        control = load_model(glow).initial(0, given)
        assert isinstance(control, Glow)
        saved(control, tmp_path / "control")
    assert not (tmp_path / "control" / "model.json").exists()


def test_models_without_known_initial_weights_are_refused_in_one_line(images: Path, tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx")
    takers = "--untrained is for a model folder or a network of keras.applications"
    with pytest.raises(UsageError, match=rf"^{takers}; pixels have no layers, components or weights$"):
        stages.embed(images, "pixels", untrained=True)
    with pytest.raises(UsageError, match=rf"^{takers}; an \.onnx file has no [^\n]* or initial weights$"):
        stages.embed(images, network, untrained=True)
    with pytest.raises(UsageError, match=r"^--untrained is for [^\n]*; the initial weights of pixels are not known"):
        stages.embed(images, Pixels(RECIPE), untrained=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seed": 1}, "--seed is the seed of initial weights; use it with --untrained"),
        ({"untrained": True, "seed": -1}, "--seed is from 0 to 2,147,483,647, not -1"),
        ({"untrained": True, "seed": 2**31}, "--seed is from 0 to 2,147,483,647, not 2147483648"),
        ({"untrained": True, "weights": "w.h5"}, "--weights gives a network its weights, and --untrained its initial"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: dict[str, Any], told: str, images: Path) -> None:
    with pytest.raises(UsageError, match=told):
        stages.embed(images, f"keras:{NET}", **options)


def test_the_options_are_in_the_provenance(images: Path, pca: Path, tmp_path: Path) -> None:
    [table] = stages.embed(images, pca, tmp_path / "p.parquet", untrained=True, seed=7)
    assert table.provenance is not None
    assert {"untrained=True", "seed=7"} <= set(table.provenance.command)
    assert json.loads(json.dumps(table.info.to_json()))["untrained"] == 7


def test_a_flow_without_actnorm_needs_no_images(given: GivenImages) -> None:
    config = JetConfig(size=8, steps=2, patch=4, depth=1, width=8, heads=2)
    none = GivenImages(given.image_id[:0], [])
    control = Jet(RECIPE, JetFlow(config, seed=1)).initial(0, none)
    started = dict(JetFlow(config, seed=0).to_arrays())
    assert all(np.array_equal(value, started[name]) for name, value in control.flow.to_arrays())
