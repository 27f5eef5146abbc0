"""Networks that somebody saved as .keras files."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.images.preprocessing import named_preprocessing
from simtool.models.classifier.keras_file import KerasFile, load_keras_file
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape
from simtool.tables.provenance import sha256_of

RECIPE = named_preprocessing("symmetric")


def saved(path: Path, side: int | None = 8, *extra: Any) -> Any:
    """A small network with a softmax at its end, which is in the file, too."""
    import keras

    network = keras.Sequential(
        [
            keras.Input((side, side, 3)),
            keras.layers.Conv2D(5, 3, activation="relu", name="seen"),
            *extra,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax", name="species"),
        ]
    )
    network.save(path)
    return network


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype(np.float32)


def test_its_layers_are_what_the_network_computes(tmp_path: Path, images: NDArray[np.float32]) -> None:
    network = saved(tmp_path / "birds.keras")
    loaded = load_keras_file(tmp_path / "birds.keras", RECIPE)
    assert loaded.preprocessing == RECIPE.adjusted(8)
    assert (loaded.output().name, loaded.weights) == ("birds penultimate", sha256_of(tmp_path / "birds.keras"))
    penultimate, logits, final = loaded.embed_layers(images, loaded.layers)
    np.testing.assert_allclose(final, network(images).numpy(), atol=1e-6)
    odds = np.exp(logits)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), final, atol=1e-6)
    np.testing.assert_allclose(penultimate, loaded.embed(images, "seen"), atol=1e-6)
    assert loaded.output("seen:flat").shape == (6, 6, 5)


def test_a_network_without_its_top_has_its_output_as_default(tmp_path: Path, images: NDArray[np.float32]) -> None:
    """The dense layers in it are gates (squeeze-and-excitation), and no head."""
    import keras

    image = keras.Input((8, 8, 3))
    seen = keras.layers.Conv2D(6, 3)(image)
    gate = keras.layers.Dense(2, activation="relu")(keras.layers.GlobalAveragePooling2D()(seen))
    gate = keras.layers.Reshape((1, 1, 6))(keras.layers.Dense(6, activation="sigmoid")(gate))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Multiply()([seen, gate]))
    network = keras.Model(image, features)
    network.save(tmp_path / "features.keras")
    loaded = load_keras_file(tmp_path / "features.keras", RECIPE)
    assert loaded.layers == ("final",)
    np.testing.assert_allclose(loaded.embed(images), network(images).numpy(), atol=1e-6)


@pytest.fixture
def nested(tmp_path: Path) -> Any:
    """A network two of whose layers are networks, one of them within the other."""
    import keras

    def stage(name: str, channels: int) -> Any:
        layers = [keras.layers.Conv2D(channels, 3, name="conv"), keras.layers.ReLU(name=f"{name}_out")]
        return keras.Sequential([keras.Input((None, None, 3 if name == "stem" else 4)), *layers], name=name)

    image = keras.Input((None, None, 3))
    backbone = keras.Model(image, stage("body", 5)(stage("stem", 4)(image)), name="backbone")
    picture = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(picture, training=False))
    top = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Softmax()], name="top")
    network = keras.Model(picture, top(pooled))
    network.save(tmp_path / "nested.keras")
    return network


def test_layers_of_nested_networks_have_names(
    nested: Any, tmp_path: Path, images: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_keras_file(tmp_path / "nested.keras", RECIPE)
    body = nested.get_layer("backbone")(images).numpy()
    for name in ("backbone", "backbone/body", "backbone/body/body_out"):
        np.testing.assert_allclose(loaded.embed(images, f"{name}:flat"), body.reshape(5, -1), atol=1e-6)
    assert loaded.output("backbone/stem/conv:flat").shape == (6, 6, 4)
    stem = np.maximum(loaded.embed(images, "backbone/stem/conv:flat"), 0)
    np.testing.assert_allclose(loaded.embed(images, "stem_out:flat"), stem, atol=1e-6)
    assert loaded.output("stem_out").name == "nested backbone/stem/stem_out"
    assert capsys.readouterr().err == "layer stem_out of nested is backbone/stem/stem_out\n"
    with pytest.raises(ModelError, match="2 layers conv: name one of backbone/stem/conv, backbone/body/conv"):
        loaded.output("conv")


def test_all_layers_are_listed_with_the_shapes_of_their_maps(
    nested: Any, tmp_path: Path, images: NDArray[np.float32]
) -> None:
    loaded = load_keras_file(tmp_path / "nested.keras", RECIPE)
    listed = {layer.name: layer for layer in loaded.all_layers()}
    assert list(listed)[:3] == ["penultimate", "logits", "final"]
    assert listed["backbone/stem/conv"] == LayerShape("backbone/stem/conv", (6, 6, 4), 4)
    assert listed["backbone"] == LayerShape("backbone", (4, 4, 5), 5)
    found = loaded.embed_layers(images, list(listed))
    assert [vectors.shape[1] for vectors in found] == [layer.dimension for layer in listed.values()]
    saved(tmp_path / "any.keras", None)
    any_size = load_keras_file(tmp_path / "any.keras", RECIPE, 12)
    assert LayerShape("seen", (10, 10, 5), 5) in any_size.all_layers()


def test_a_head_may_be_within_a_nested_network(nested: Any, tmp_path: Path, images: NDArray[np.float32]) -> None:
    loaded = load_keras_file(tmp_path / "nested.keras", RECIPE)
    penultimate, logits, final = loaded.embed_layers(images, loaded.layers)
    np.testing.assert_allclose(penultimate, loaded.embed(images, "backbone"), atol=1e-6)
    odds = np.exp(logits)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), final, atol=1e-6)
    np.testing.assert_allclose(final, nested(images).numpy(), atol=1e-6)


def test_of_a_layer_that_is_called_twice_the_call_before_the_output_is_taken(
    tmp_path: Path, images: NDArray[np.float32]
) -> None:
    import keras

    image = keras.Input((8, 8, 3))
    shared = keras.layers.Dense(3, activation="relu", name="shared")
    first = shared(keras.layers.GlobalAveragePooling2D()(image))
    network = keras.Model(image, shared(first))
    network.save(tmp_path / "twice.keras")
    loaded = load_keras_file(tmp_path / "twice.keras", RECIPE)
    penultimate, logits, final = loaded.embed_layers(images, loaded.layers)
    np.testing.assert_allclose(penultimate, keras.Model(image, first)(images).numpy(), atol=1e-6)
    np.testing.assert_allclose(np.maximum(logits, 0), final, atol=1e-6)
    np.testing.assert_allclose(loaded.embed(images, "shared"), network(images).numpy(), atol=1e-6)


@pytest.mark.parametrize("change", ["int8", "int4", "float8", "lora"])
def test_logits_are_those_of_a_layer_with_other_weights(
    tmp_path: Path, images: NDArray[np.float32], change: str
) -> None:
    """Weights that are quantised, or have others of low rank added to them."""
    network = saved(tmp_path / "plain.keras")
    head = network.get_layer("species")
    if change == "lora":
        head.enable_lora(2)
        head.lora_kernel_b.assign(np.ones(head.lora_kernel_b.shape))
    else:
        head.quantize(change)
    network.save(tmp_path / "other.keras")
    loaded = load_keras_file(tmp_path / "other.keras", RECIPE)
    _, logits, final = loaded.embed_layers(images, loaded.layers)
    odds = np.exp(logits)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), final, atol=1e-6)
    np.testing.assert_allclose(final, network(images).numpy(), atol=1e-5)


def test_colors_that_are_scaled_twice_get_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    saved(tmp_path / "birds.keras", 8, keras.layers.Rescaling(2.0))
    load_keras_file(tmp_path / "birds.keras", RECIPE)
    assert capsys.readouterr().err == ""
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255, name="scale"), keras.layers.Conv2D(2, 3)]
    keras.Sequential(layers).save(tmp_path / "scaled.keras")
    load_keras_file(tmp_path / "scaled.keras", named_preprocessing("bytes"))
    assert capsys.readouterr().err == ""
    load_keras_file(tmp_path / "scaled.keras", RECIPE)
    assert "scales colors itself (layer scale), and the preprocessing symmetric scales" in capsys.readouterr().err


def test_a_network_of_any_size_sees_the_size_that_is_asked_for(tmp_path: Path) -> None:
    saved(tmp_path / "birds.keras", None)
    assert load_keras_file(tmp_path / "birds.keras", RECIPE, 20).preprocessing.shape == (20, 20, 3)
    assert load_keras_file(tmp_path / "birds.keras", RECIPE).preprocessing == RECIPE


def test_a_network_of_any_size_without_its_top_gives_maps(tmp_path: Path) -> None:
    import keras

    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(4, 3, name="seen")(keras.layers.MaxPooling2D()(image)))
    network.save(tmp_path / "map.keras")
    loaded = load_keras_file(tmp_path / "map.keras", RECIPE, 20)
    pixels = np.random.default_rng(0).normal(size=(2, 20, 20, 3)).astype(np.float32)
    assert (loaded.output().shape, loaded.output("seen:flat").shape) == ((4,), (8, 8, 4))
    maps = network(pixels).numpy()
    np.testing.assert_allclose(loaded.embed(pixels), maps.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(loaded.embed(pixels, "seen:flat"), maps.reshape(2, -1), atol=1e-6)


def test_a_network_without_a_dense_layer_has_its_output_alone(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)]).save(tmp_path / "map.keras")
    loaded = load_keras_file(tmp_path / "map.keras", RECIPE)
    assert (loaded.layers, loaded.output().shape) == (("final",), (2,))


def test_code_in_a_file_runs_only_if_it_is_trusted(tmp_path: Path, images: NDArray[np.float32]) -> None:
    import keras

    path = tmp_path / "code.keras"
    saved(path, 8, keras.layers.Lambda(lambda x: x * 0.0))
    with pytest.raises(ModelError, match=r"code\.keras: Keras cannot load it: it holds code; --trust-code"):
        load_keras_file(path, RECIPE)
    assert not load_keras_file(path, RECIPE, trust=True).embed(images).any()


@pytest.mark.parametrize(
    ("shape", "size", "complaint"),
    [
        ((8, 8, 3), 16, "expects 8 by 8 pixels, not 16"),
        ((8, 6, 3), None, "expects 8 by 6 pixels, not a square"),
        ((8, 8, 1), None, r"from \(height, width, 3\) to one output, not from \[\(8, 8, 1\)\]"),
    ],
)
def test_what_does_not_take_photographs_is_refused(
    tmp_path: Path, shape: tuple[int, ...], size: int | None, complaint: str
) -> None:
    import keras

    keras.Sequential([keras.Input(shape), keras.layers.Flatten()]).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=complaint):
        load_keras_file(tmp_path / "other.keras", RECIPE, size)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"broken\.keras: this is a text file, not a model that simtool can embed"):
        load_keras_file(tmp_path / "broken.keras", RECIPE)
    with pytest.raises(ModelError, match="no such file"):
        load_keras_file(tmp_path / "absent.keras", RECIPE)


OLD = {
    "module": "keras.src.engine.functional",
    "class_name": "Functional",
    "config": {"name": "model", "layers": [{"name": f"layer_{number}"} for number in range(100)]},
}


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"readme.txt": "a zip file"}, "this is a zip archive of 1 .txt, not a model that simtool can embed with"),
        ({"metadata.json": "{", "config.json": "{}"}, "a Keras model (.keras), but damaged: Expecting property name"),
        (
            {"metadata.json": "[" * 100_000, "config.json": "{}"},
            "a Keras model (.keras), but damaged: maximum recursion depth",
        ),
        ({"metadata.json": "3", "config.json": "{"}, "Keras cannot load it: "),
        ({"metadata.json": "{}", "config.json": "[" * 100_000}, "Keras cannot load it: maximum recursion depth"),
        ({"metadata.json": "{}", "config.json": json.dumps(OLD)}, "Keras cannot load it: Could not deserialize class"),
        (
            {"metadata.json": '{"keras_version": "2.15.0"}', "config.json": json.dumps(OLD)},
            "Keras 2.15.0 wrote it, and Keras 3",
        ),
        ({"metadata.json": "{}", "config.json": " " * (65 << 20)}, "config.json in it unpacks to 68,157,440 bytes"),
        (
            {"metadata.json": "{}", "config.json": "{}", "model.weights.h5": "\0" * (65 << 20)},
            "model.weights.h5 in it unpacks to 68,157,440 bytes",
        ),
    ],
)
def test_a_file_from_elsewhere_that_is_damaged_or_old_gets_a_line(
    tmp_path: Path, parts: dict[str, str], complaint: str
) -> None:
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (parts if "readme.txt" in parts else {"model.weights.h5": "", **parts}).items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match=re.escape(complaint)) as refused:
        load_keras_file(path, RECIPE)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


def test_complaints_of_keras_are_words(tmp_path: Path) -> None:
    path = tmp_path / "birds.keras"
    saved(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"class_name": "Conv2D"', b'"class_name": "Conv9D"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match=r"Keras cannot load it: .*Conv9D") as refused:
        load_keras_file(path, RECIPE)
    assert not re.search(r"[\n<>]", str(refused.value))


def test_the_name_of_a_file_is_to_end_in_keras(tmp_path: Path) -> None:
    saved(tmp_path / "birds.keras")
    (tmp_path / "birds.keras").rename(tmp_path / "birds.zip")
    with pytest.raises(ModelError, match=r"birds\.zip: Keras loads a model only if its name ends in \.keras; rename"):
        load_keras_file(tmp_path / "birds.zip", RECIPE)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_gets_a_line(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "birds.keras"
    saved(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ModelError, match=r"this is a Keras model \(\.keras\), but truncated"):
        load_keras_file(path, RECIPE)


def test_an_unknown_layer_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "birds.keras")
    loaded = load_keras_file(tmp_path / "birds.keras", RECIPE)
    assert isinstance(loaded, KerasFile)
    with pytest.raises(ModelError, match=r"birds has no layer sen; it has penultimate, logits, final, .* seen"):
        loaded.output("sen")
