"""Networks of ``keras.applications`` by name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.archive import Source
from simtool.models.classifier import published
from simtool.models.classifier.application import application_named, load_application
from simtool.models.classifier.architectures import APPLICATIONS
from simtool.models.classifier.published import PUBLISHED
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape
from simtool.models.sources import ModelOptions, source_of
from simtool.stages.embedding import embed
from simtool.tables.embeddings import open_embeddings
from simtool.tables.provenance import sha256_of
from simtool.tensorflow import load_tensorflow
from tests.photographs import write_table
from tests.servers import breaks_after, serving, web_page

SIDE = 32
BYTES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.float32)


def built(name: str, **options: Any) -> Any:
    """A network of keras.applications with random weights, also of its normalisations."""
    load_tensorflow()
    import keras

    network = getattr(keras.applications, name)(weights=None, **options)
    random = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.moving_mean.shape
            beta, mean = random.normal(0, 0.3, (2, *size))
            layer.set_weights([random.uniform(0.5, 1.5, size), beta, mean, random.uniform(0.5, 1.5, size)])
    return network


@pytest.fixture(scope="module")
def network() -> Any:
    """A MobileNet for small images."""
    return built("MobileNet", input_shape=(SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights, as Keras saves them."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    network.save_weights(path)
    return path


def by_hand(network: Any, images: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
    """The values of a layer, (b, D), as the documentation of Keras computes them."""
    import keras

    tapped = keras.Model(network.inputs, network.get_layer(layer).output)
    found = np.asarray(tapped.predict_on_batch(images))
    return found.mean(axis=tuple(range(1, found.ndim - 1))) if found.ndim > 2 else found


def close(found: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float = 1e-6) -> None:
    """Equal to a part of the largest value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_the_networks_are_those_of_keras() -> None:
    load_tensorflow()
    import keras

    theirs = {name for name in dir(keras.applications) if name[0].isupper()}
    assert theirs == set(APPLICATIONS) == set(PUBLISHED)


def test_a_network_that_does_not_exist_is_refused_with_similar_names_and_all_names() -> None:
    assert application_named("resnet50").name == "ResNet50"
    with pytest.raises(ModelError, match=r"^keras.applications has no network ResNet5; similar names are ResNet50, .*"):
        application_named("ResNet5")
    with pytest.raises(ModelError) as refused:
        source_of("keras:dino", ModelOptions()).open(ModelOptions())
    assert all(name in str(refused.value) for name in APPLICATIONS)


def test_vectors_are_those_of_keras_called_by_hand(network: Any, weights: Path) -> None:
    import keras

    model = load_application("MobileNet", SIDE, weights=weights)
    images = keras.applications.mobilenet.preprocess_input(BYTES.copy())
    pooled = next(layer.name for layer in network.layers if "global_average_pooling" in layer.name)
    ours = next(layer.name for layer in model.all_layers() if "global_average_pooling" in layer.name)
    for layer, theirs in {"predictions": "predictions", "conv_pw_13_relu": "conv_pw_13_relu", ours: pooled}.items():
        close(model.embed(images, layer), by_hand(network, images, theirs))
    close(model.embed(images), by_hand(network, images, pooled))
    close(model.embed(images, "final"), by_hand(network, images, "predictions"))
    assert model.output("predictions").name == "keras:MobileNet predictions"
    assert model.preprocessing.shape == (SIDE, SIDE, 3)
    assert model.weights == sha256_of(weights)
    assert model.all_layers()[:2] == [LayerShape("penultimate", (1, 1, 1024), 1024), LayerShape("final", (1000,), 1000)]


def test_its_source_has_its_own_preprocessing_and_takes_weights(weights: Path) -> None:
    options = ModelOptions(size=SIDE, crop=0.5, weights=weights)
    model = source_of("keras:mobilenet", options).open(options)
    assert str(model.preprocessing).startswith("symmetric: central crop 0.5, resize to 32 x 32")


def test_a_table_states_the_file_of_the_weights(weights: Path, tmp_path: Path) -> None:
    images, out = write_table(tmp_path, 3), tmp_path / "vectors.parquet"
    embed(images, "keras:MobileNet", out, size=SIDE, weights=weights)
    table = open_embeddings(out)
    assert (table.info.name, table.info.model) == ("keras:MobileNet penultimate", sha256_of(weights))
    assert table.provenance is not None
    assert {Path(entry.name).name for entry in table.provenance.inputs} == {"images.parquet", weights.name}
    [pixels] = embed(images, "pixels", preprocessing="symmetric", size=SIDE)
    expected = load_application("MobileNet", SIDE, weights=weights).embed(pixels.read().reshape(3, SIDE, SIDE, 3))
    np.testing.assert_array_equal(table.read(), expected)


def test_layers_are_listed_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    listed = source_of("keras:MobileNet", ModelOptions()).inspected(ModelOptions(size=64)).all_layers()
    assert LayerShape("conv_pw_13_relu", (2, 2, 1024), 1024) in listed
    assert listed[-1] == LayerShape("predictions", (1000,), 1000)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["whole.h5", "whole.keras"])
def test_weights_can_be_those_in_a_whole_model(name: str, network: Any, weights: Path, tmp_path: Path) -> None:
    network.save(tmp_path / name)
    expected = load_application("MobileNet", SIDE, weights=weights).embed(BYTES, "predictions")
    np.testing.assert_array_equal(
        load_application("MobileNet", SIDE, weights=tmp_path / name).embed(BYTES, "predictions"), expected
    )


def test_weights_without_the_last_layer_give_the_other_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = built("MobileNet", input_shape=(SIDE, SIDE, 3), include_top=False)
    network.save(tmp_path / "mobilenet_no_top.h5")
    model = load_application("MobileNet", SIDE, weights=tmp_path / "mobilenet_no_top.h5", layers=["conv_pw_13_relu"])
    assert "the weights fit MobileNet without its last layers only" in capsys.readouterr().err
    assert model.output().shape == (1024,)
    close(model.embed(BYTES), by_hand(network, BYTES, "conv_pw_13_relu"))


def test_other_files_are_refused_in_one_line(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.h5").write_text("no weights")
    with pytest.raises(ModelError, match=r"notes.h5: this is a text file, not a file of weights that Keras saved$"):
        load_application("MobileNet", weights=tmp_path / "notes.h5")
    with pytest.raises(
        ModelError, match=r"^[^\n]*; these are not the weights of MobileNetV2 for images of 32 by 32: "
    ) as no:
        load_application("MobileNetV2", SIDE, weights=weights)
    assert "Example error" not in str(no.value)
    (tmp_path / "cut.weights.h5").write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"^[^\n]*cut.weights.h5: this is an HDF5 file, but truncated"):
        load_application("MobileNet", weights=tmp_path / "cut.weights.h5")
    with pytest.raises(ModelError, match=r"^keras:MobileNet cannot be built for images of 8 by 8: [^\n]+$"):
        load_application("MobileNet", 8, weights=weights)


def test_the_published_weights_are_downloaded_once_and_resumed(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = weights.read_bytes()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    with serving(content) as server:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        name = "mobilenet.weights.h5"
        monkeypatch.setitem(PUBLISHED, "MobileNet", Source(name, (server.url,), md5=md5))
        server.turns.append(breaks_after(1 << 20))
        model = load_application("MobileNet", SIDE)
        assert [request.range for request in server.requests] == [None, f"bytes={1 << 20}-"]
        assert sha256_of(tmp_path / "home" / "models" / name) == model.weights == sha256_of(weights)
        load_application("MobileNet", SIDE)
        assert len(server.requests) == 2


def test_a_wrong_layer_is_refused_before_the_weights_are_downloaded_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with serving(b"") as server:
        monkeypatch.setitem(PUBLISHED, "MobileNet", Source("mobilenet.h5", (server.url,), md5="0" * 32))
        source = source_of("keras:MobileNet", options := ModelOptions(size=SIDE, layer=("conv_pw_99",)))
        with pytest.raises(ModelError, match=r"^keras:MobileNet has no layer conv_pw_99; it has penultimate"):
            source.open(options)
        assert not server.requests
    other = tmp_path / "other.weights.h5"
    built("MobileNetV2", input_shape=(SIDE, SIDE, 3)).save_weights(other)
    with pytest.raises(ModelError, match="has no layer conv_pw_99"):
        load_application("MobileNet", SIDE, weights=other, layers=["conv_pw_99"])


def test_a_download_that_is_not_the_published_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with serving(b"other content") as server:
        monkeypatch.setitem(PUBLISHED, "MobileNet", Source("mobilenet.h5", (server.url,), md5="0" * 32))
        for always, reason in ((server.always, "wrong checksum: expected MD5 000"), (web_page, "a web page instead")):
            server.always = always
            with pytest.raises(
                ModelError, match=f"^mobilenet.h5 could not be downloaded: [^\n]*{reason}[^\n]*--weights$"
            ):
                load_application("MobileNet")
    assert {file.name for file in (tmp_path / "models").iterdir()} <= {".simtool.lock"}


def test_the_checksums_without_the_last_layer_are_those_of_keras(tmp_path: Path) -> None:
    load_tensorflow()
    from keras.src.applications import efficientnet

    for size, (whole, without) in efficientnet.WEIGHTS_HASHES.items():
        name = f"EfficientNet{size.upper()}"
        assert PUBLISHED[name].md5 == whole
        assert published._WITHOUT_TOP[name] == without
    (tmp_path / "other.h5").write_bytes(b"other")
    assert not published.is_published("EfficientNetB0", tmp_path / "other.h5")
    assert not published.is_published("MobileNet", tmp_path / "other.h5")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B1", "ConvNeXtTiny"])
def test_weights_and_sizes_are_those_of_keras(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load_tensorflow()
    import keras
    from keras.src.utils import file_utils

    asked: list[Source] = []

    def downloaded(name: str, origin: str, cache_subdir: str, file_hash: str | None = None) -> str:
        assert cache_subdir == "models"
        sums = {"sha256": (file_hash,)} if file_hash and len(file_hash) == 64 else {"md5": file_hash or ""}
        asked.append(Source(name, (origin,), **sums))
        raise InterruptedError

    monkeypatch.setattr(file_utils, "get_file", downloaded)
    with pytest.raises(InterruptedError):
        getattr(keras.applications, name)()
    assert asked == [PUBLISHED[name]]
    default = getattr(keras.applications, name)(weights=None).input_shape[1:3]
    assert default in ((APPLICATIONS[name].size,) * 2, (None, None))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetB0"])
def test_a_large_network_equals_keras_at_its_own_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EfficientNet scales colors once more with ImageNet's weights, which Keras knows by its argument.

    Its values differ by up to 2e-6 of the largest from run to run, those of ResNet50 not at all.
    """
    import keras

    built(name).save(tmp_path / "random.h5")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "random.h5").rename(tmp_path / "models" / PUBLISHED[name].name)
    file = tmp_path / "models" / PUBLISHED[name].name
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(PUBLISHED, name, Source(file.name, (), md5=md5))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(file))
    theirs = getattr(keras.applications, name)(weights="imagenet")
    model = load_application(name)
    side = APPLICATIONS[name].size
    images = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)
    images -= 128 if name == "ResNet50" else 0
    for layer in ("avg_pool", "predictions"):
        found, expected = model.embed(images, layer), by_hand(theirs, images, layer)
        close(found, expected, tolerance=1e-6 if name == "ResNet50" else 1e-5)
