"""Networks that somebody saved as .keras files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.images.recipes import named_recipe
from simtool.models.classifier.keras_file import KerasFile, load_keras_file
from simtool.models.errors import ModelError
from simtool.tables.provenance import sha256_of

RECIPE = named_recipe("symmetric")


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
    assert loaded.recipe == RECIPE.adjusted(8)
    assert (loaded.output().name, loaded.weights) == ("birds penultimate", sha256_of(tmp_path / "birds.keras"))
    penultimate, logits, final = loaded.embed_layers(images, loaded.layers)
    np.testing.assert_allclose(final, network(images).numpy(), atol=1e-6)
    odds = np.exp(logits)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), final, atol=1e-6)
    np.testing.assert_allclose(penultimate, loaded.embed(images, "seen"), atol=1e-6)
    assert loaded.output("seen:flat").shape == (6, 6, 5)


def test_a_network_of_any_size_sees_the_size_that_is_asked_for(tmp_path: Path) -> None:
    saved(tmp_path / "birds.keras", None)
    assert load_keras_file(tmp_path / "birds.keras", RECIPE, 20).recipe.shape == (20, 20, 3)
    assert load_keras_file(tmp_path / "birds.keras", RECIPE).recipe == RECIPE


def test_a_network_without_a_dense_layer_has_its_output_alone(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)]).save(tmp_path / "map.keras")
    loaded = load_keras_file(tmp_path / "map.keras", RECIPE)
    assert (loaded.layers, loaded.output().shape) == (("final",), (2,))


def test_code_in_a_file_runs_only_if_it_is_trusted(tmp_path: Path, images: NDArray[np.float32]) -> None:
    import keras

    path = tmp_path / "code.keras"
    saved(path, 8, keras.layers.Lambda(lambda x: x * 0.0))
    with pytest.raises(ModelError, match=r"code\.keras: Keras cannot load it: it holds code of its own; --trust-code"):
        load_keras_file(path, RECIPE)
    assert not load_keras_file(path, RECIPE, trust=True).embed(images).any()


@pytest.mark.parametrize(
    ("shape", "size", "complaint"),
    [
        ((8, 8, 3), 16, "expects 8 by 8 pixels, not 16"),
        ((8, 6, 3), None, "expects 8 by 6 pixels, not a square"),
        ((8, 8, 1), None, r"from \(height, width, 3\) to one output can be embedded, not from \[\(8, 8, 1\)\]"),
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
    with pytest.raises(ModelError, match=r"broken\.keras: Keras cannot load it"):
        load_keras_file(tmp_path / "broken.keras", RECIPE)
    with pytest.raises(ModelError, match="no such file"):
        load_keras_file(tmp_path / "absent.keras", RECIPE)


def test_an_unknown_layer_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "birds.keras")
    loaded = load_keras_file(tmp_path / "birds.keras", RECIPE)
    assert isinstance(loaded, KerasFile)
    with pytest.raises(ModelError, match=r"birds has no layer sen; it has penultimate, logits, final, .* seen"):
        loaded.output("sen")
